"""Telling the allocator that there is work."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shared.observability import count, fault, followed, logger


@dataclass(frozen=True, slots=True)
class Allocator:
    """The function that allocates, by its Lambda client (boto3) and its name."""

    client: Any
    function: str

    def wake(self, event: str, **work: int) -> None:
        """Invoke the allocator for a run (`run=3`) or a publication (`publication=3`) and do not wait for it.

        The work stands in the table already. So a call that fails is logged and raises nothing: the allocator's
        schedule finds the work within a minute.
        """
        payload = json.dumps({"event": event, **work, "request": followed()}).encode()
        try:
            self.client.invoke(FunctionName=self.function, InvocationType="Event", Payload=payload)
        except (BotoCoreError, ClientError) as error:
            count("AllocatorNotWoken")
            logger.warning("allocator not woken", extra={"event_id": event, **fault(error)})
