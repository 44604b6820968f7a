"""The logger and the metrics every function shares. No personal data and no token goes through either."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics

logger = Logger()
metrics = Metrics(namespace="Parcours")
