# Two commands, each sets up what it needs in $(VENV): `make live` and `make test`.
#   make live                 the bundled clip; SOURCE=0 webcam, SOURCE=my.mp4 video, SOURCE=topic somebody's camera driver
#   make live ARGS='--loop'   further options of `physhmr live`
#   make test ARGS='-k rays'  further options of pytest
#   make test-extras          installs every optional engine and robot model too, and runs their tests
VENV ?= .venv
SOURCE ?= demo
ARGS ?=
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# A sourced ROS must not leak into the environment of the ROS wheels, nor another environment's loader path.
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH PYTHONHOME
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint requirements/constraints.txt
WHEEL := $(PIP) wheel --quiet --no-deps --build-constraint requirements/message-build.txt --wheel-dir
WHEELS := $(VENV)/wheels
EXTRA_TESTS := tests/core/retarget $(addprefix tests/core/test_,$(addsuffix .py,batch_sim choose engine_cache \
  engine_parity engines_command image_encoder image_front keypoint_network models_command tensorrt))
MESSAGES := ros2_ws/src/physhmr_msgs
TF2_MESSAGES := ros2_ws/vendor/tf2_msgs
message_sources = $(wildcard $(1)/* $(1)/msg/*) ros2_ws/cmake/ros_wheels.cmake requirements/message-build.txt

.PHONY: live test test-extras setup lint types colcon clean
.DELETE_ON_ERROR:

live: $(VENV)/.ready
	$(BIN)/physhmr live --source '$(SOURCE)' $(ARGS)

test: $(VENV)/.ready-to-test
	$(BIN)/python -m pytest $(ARGS)

test-extras: $(VENV)/.extras
	$(BIN)/python -m pytest $(EXTRA_TESTS) $(ARGS)

setup: $(VENV)/.ready

lint: $(VENV)/.ready-to-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready-to-test
	$(BIN)/mypy

colcon: $(VENV)/.colcon
	tests/launch/colcon_build.sh $(VENV)

clean:
	rm -rf build install log ros2_ws/build ros2_ws/install ros2_ws/log out $(WHEELS)

$(VENV)/.python:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed; set PYTHON=/path/to/it' >&2; exit 1; }
	@$(PYTHON) ros2_ws/cmake/check_toolchain.py
	@echo '[1/4] creating $(VENV) with $(PYTHON)'
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --upgrade pip==26.3
	@touch $@

$(VENV)/.base: $(VENV)/.python setup.py pyproject.toml requirements/constraints.txt
	@echo '[2/4] installing physhmr and the ROS 2 wheels (about 20 s on a fast line)'
	@$(INSTALL) --build-constraint requirements/constraints.txt --editable '.[ros-wheels]'
	@touch $@

# The two interface packages compile side by side, one core each.
$(VENV)/.messages: $(call message_sources,$(MESSAGES)) $(call message_sources,$(TF2_MESSAGES)) | $(VENV)/.base
	@echo '[3/4] compiling the message packages (about 40 s)'
	@rm -rf $(WHEELS)
	@$(MAKE) --no-print-directory -j2 $(WHEELS)/physhmr_msgs $(WHEELS)/tf2_msgs
	@$(PIP) install --quiet --no-deps --force-reinstall $(WHEELS)/*/*.whl
	@touch $@

$(WHEELS)/physhmr_msgs:
	@$(WHEEL) $@ ./$(MESSAGES)

$(WHEELS)/tf2_msgs:
	@$(WHEEL) $@ ./$(TF2_MESSAGES)

$(VENV)/.ready: $(VENV)/.base $(VENV)/.messages
	@echo '[4/4] ready'
	@touch $@

$(VENV)/.ready-to-test: $(VENV)/.ready
	@echo 'installing what training, tests and checks need'
	@$(INSTALL) --build-constraint requirements/constraints.txt --editable '.[ros-wheels,ros-test,train,captures,lerobot,test,lint]'
	@touch $@

$(VENV)/.extras: $(VENV)/.ready-to-test
	@echo 'installing OpenVINO, TensorRT-RTX, transformers, mujoco_warp and robot models (about 1 GB)'
	@$(INSTALL) --build-constraint requirements/constraints.txt --editable \
	  '.[ros-wheels,train,captures,test,warp,openvino,tensorrt-rtx,vitpose,robots]'
	@touch $@

$(VENV)/.colcon: $(VENV)/.ready requirements/colcon.txt requirements/message-build.txt
	@$(INSTALL) --requirement requirements/message-build.txt --requirement requirements/colcon.txt
	@touch $@
