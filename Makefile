# Each target is a call of dev.py, which works without make too: python dev.py --help
# Arguments: make run ARGS="--port 7171", make test ARGS="-- -k saga"
PYTHON ?= python3

.PHONY: setup run sandbox test check demo-files bench chaos clean
setup run sandbox test check demo-files bench chaos clean:
	@$(PYTHON) dev.py $@ $(ARGS)
