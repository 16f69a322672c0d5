#!/usr/bin/env bash
# Builds a copy of the repository with colcon, as a user with a ROS workspace does, and looks at what came out.
# usage: colcon_build.sh VENV   (an environment with the ROS wheels, colcon and the message build requirements)
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
venv=$(cd "$1" && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

git -C "$root" ls-files -z --cached --others --exclude-standard |
  (cd "$root" && xargs -0 sh -c 'for f; do [ -e "$f" ] && printf "%s\0" "$f"; done' sh) |
  tar -C "$root" --null --files-from=- -cf - | tar -C "$copy" -xf -

export PATH="$venv/bin:$PATH" AMENT_PREFIX_PATH="$venv" CMAKE_PREFIX_PATH="$venv"
project_include=$copy/ros2_ws/cmake/ros_wheels.cmake
build=(colcon build --event-handlers console_direct- --cmake-args "-DCMAKE_PROJECT_INCLUDE=$project_include"
  "-DPython3_EXECUTABLE=$venv/bin/python")

check() { # the install folder: packages, executables, launch file, messages
  local install=$1
  for file in physhmr/lib/physhmr/live physhmr/lib/physhmr/physhmr physhmr/share/physhmr/launch/live.launch.py \
    physhmr/share/physhmr/config/live.yaml physhmr/share/physhmr/config/physhmr.rviz \
    physhmr/share/ament_index/resource_index/packages/physhmr \
    physhmr_msgs/share/physhmr_msgs/msg/RayBundle.msg; do
    [ -e "$install/$file" ] || { echo "colcon did not install $file" >&2; exit 1; }
  done
  (
    set +u
    . "$install/local_setup.bash"
    cd / && python - <<'PYTHON'
import physhmr.config
import physhmr_msgs.msg
import physhmr_ros.bringup

share = physhmr.config.share_directory()
assert share.name == "physhmr" and share.parent.name == "share", share
assert "install" in physhmr_msgs.__file__, physhmr_msgs.__file__
assert "install" in physhmr_ros.__file__, physhmr_ros.__file__
print("imported from", share)
PYTHON
  )
}

echo "== colcon build at the top"
(cd "$copy" && "${build[@]}")
check "$copy/install"
echo "== colcon build in ros2_ws"
rm -rf "$copy"/{build,install,log}
(cd "$copy/ros2_ws" && "${build[@]}")
check "$copy/ros2_ws/install"
