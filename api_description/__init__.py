"""Writes openapi.json, which describes the HTTP API of the app. It is never deployed itself."""
