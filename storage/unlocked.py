# SPDX-License-Identifier: Apache-2.0
"""This is where an object store without locks of its own says so: its bytes are tamper-evident, not WORM."""

from abc import ABC, abstractmethod
from datetime import datetime

from evidence.errors import NotFound
from storage.objects import NO_PROTECTION, Protection


class Unlocked(ABC):
    """The protecting half of an ObjectStore whose engine can refuse nobody."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """As the port says."""

    def protect(self, key: str, *, until: datetime) -> Protection:
        """As the port says: there is nothing that would refuse."""
        return self.protection(key)

    def hold(self, key: str, *, is_held: bool) -> Protection:
        """As the port says: there is nothing that would refuse."""
        return self.protection(key)

    def protection(self, key: str) -> Protection:
        """As the port says."""
        if not self.exists(key):
            raise NotFound(f"nothing rests under {key}", key=key)
        return NO_PROTECTION
