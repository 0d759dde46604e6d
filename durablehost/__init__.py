"""A local host for Azure Durable Functions apps in Python."""

import time

BEGAN = time.perf_counter()  # before all that has to be imported, which is most of a start
