"""A local host for Azure Durable Functions apps in Python."""
