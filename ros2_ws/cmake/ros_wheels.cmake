# Included by every project() call of a wheel build (CMAKE_PROJECT_INCLUDE).
# The build environment is the ament prefix: its CMake packages are found through PATH, its type supports
# through AMENT_PREFIX_PATH, which nobody has sourced here.
find_package(ament_cmake_core REQUIRED)
get_filename_component(_ros_wheels_prefix "${ament_cmake_core_DIR}/../../.." ABSOLUTE)
set(ENV{AMENT_PREFIX_PATH} "${_ros_wheels_prefix}")

# The ROS wheels' exported targets carry include directories of the machine that built them; CMake refuses
# targets with directories that do not exist. Once all targets are known, drop what is not there.

function(_drop_missing_include_directories)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT directories)
      continue()
    endif()
    set(present "")
    foreach(directory IN LISTS directories)
      if(directory MATCHES "^\\$<" OR EXISTS "${directory}")
        list(APPEND present "${directory}")
      endif()
    endforeach()
    set_property(TARGET ${target} PROPERTY INTERFACE_INCLUDE_DIRECTORIES "${present}")
  endforeach()
endfunction()

cmake_language(DEFER CALL _drop_missing_include_directories)
