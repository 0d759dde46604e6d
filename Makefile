# `make help` lists the targets. Each is a command of dev.py, which works without make, too.
# Arguments: make run ARGS="--port 7171", make test ARGS="-- -k saga"
PYTHON ?= python3

.PHONY: help setup run sandbox test conformance check demo-files blocks openapi bench soak settings smoke faults load chaos clean
help setup run sandbox test conformance check demo-files blocks openapi bench soak settings smoke faults load chaos clean:
	@$(PYTHON) dev.py $@ $(ARGS)
