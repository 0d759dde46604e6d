"""The tests of `kit_project` run in an environment of their own, by `test_wheel.py`."""

collect_ignore = ["kit_project"]
