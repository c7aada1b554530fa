"""What a command remembers of a practice for the next one, beside its tokens."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from platformdirs import user_data_path

from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.files import replace_file
from ormco_trios.onboarding.outcomes import Progress


class SavedProgress:
    """A practice's `Progress` in a file that only its owner can read; losing it does little harm.

    Args:
        account: The name that the practice's tokens are kept under.
        folder: Where the tokens are, if not in the user's data folder.
    """

    def __init__(self, account: str, folder: str | None) -> None:
        where = user_data_path("ormco-trios") / "tokens" if folder is None else Path(folder)
        # A hash, since an account's name may be a person's e-mail.
        name = hashlib.sha256(account.encode()).hexdigest()[:32]
        self._path = where / f"{name}.progress"
        self._written = ""

    def load(self) -> Progress:
        """What was remembered; nothing if there is nothing that can be read."""
        with contextlib.suppress(OSError, UnicodeDecodeError, ConfigurationError):
            return Progress.from_json(self._path.read_text("utf-8"))
        return Progress()

    def save(self, progress: Progress) -> None:
        """Keep it, unless it is what was written last."""
        text = progress.to_json()
        if text == self._written:
            return
        with contextlib.suppress(OSError):  # the next command begins again, and that is all
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(self._path, text.encode())
            self._written = text
