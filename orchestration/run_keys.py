"""Idempotency keys of one run of an instance.

A party outside answers a key that it knows with the answer it gave first. An instance can be run
again under its id: it is deleted and started anew, or it failed and is retried. With a key made of
the instance id alone, the party would repeat the answer of the earlier run, even if what that run
did was reversed meanwhile. So a key names the run as well.
"""

import azure.durable_functions as df


class RunKeys:
    """The idempotency keys of the current run: equal at every replay, new in another run.

    `continue_as_new` counts as another run, so an orchestrator that uses it passes `run` on.
    """

    def __init__(self, context: df.DurableOrchestrationContext) -> None:
        # Made of the instance id and of the time at which the run began, both equal at every
        # replay. The SDK does not show the execution id of the host.
        self.run = context.new_uuid()[:8]
        self._instance_id = context.instance_id

    def key(self, step: str) -> str:
        """The key of a step: the same for each attempt."""
        return f"{self._instance_id}:{self.run}:{step}"
