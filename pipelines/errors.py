"""The errors people see: each says what, where, how many, a sample, and what to do.

`QalaError` is caught at the edges (command line, Airflow task) and shown as one sentence;
anything else is a defect of the program and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence


class QalaError(Exception):
    """What went wrong in one clear sentence, and the remedy in another."""

    def __init__(self, what: str, remedy: str = "") -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(f"{what} {remedy}".strip())

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (Airflow, multiprocessing): keep both sentences.
        return (_rebuild, (type(self), self.what, self.remedy))


def _rebuild(kind: type[QalaError], what: str, remedy: str) -> QalaError:
    error = kind.__new__(kind)
    QalaError.__init__(error, what, remedy)
    return error


class SettingsError(QalaError):
    """The environment or the city file is wrong: nothing can run."""


class SourceError(QalaError):
    """A source could not be fetched or read tonight: its last good version carries it."""


class TransientSourceError(SourceError):
    """A source did not answer; trying again later may help."""


class QuarantinedFeedError(SourceError):
    """A feed version breaks rules that stop feeds, or too many of its rows do; a person decides.

    `codes` are the rules that it broke, `refused_count` how many rows were refused.
    """

    codes: tuple[str, ...] = ()
    refused_count: int = 0

    def __init__(
        self,
        what: str,
        remedy: str = "",
        *,
        codes: Sequence[str] = (),
        refused_count: int = 0,
    ) -> None:
        super().__init__(what, remedy)
        self.codes = tuple(codes)
        self.refused_count = refused_count


class CriticalSourceError(QalaError):
    """A source without which the city file allows no night has failed: last night stays."""


class ContractError(QalaError):
    """Rows break their contract: for staging above the declared share, for marts any."""


class AuditError(QalaError):
    """A critical check failed: the last good night stays published."""


class LakeError(QalaError):
    """The lake can't be reached, or stayed locked beyond all retries."""


class PublishError(QalaError):
    """The published file could not be built, checked or swapped."""


class SigningKeyError(QalaError):
    """A key, or the file of trusted keys, can't be read or used."""


class VerificationError(QalaError):
    """There is nothing that could be verified."""


class DeliveryError(QalaError):
    """Files could not be handed over; another try goes on where this one stopped."""


class AlertError(QalaError):
    """An alert could not be handed to its channel; the next look sends it again."""


class BackupError(QalaError):
    """A backup could not be made, is not whole, or can't be put where it was asked for."""


class NightInProgressError(QalaError):
    """Another night of this city is running."""


class QueryError(QalaError):
    """A query that an analyst typed is wrong."""


def sample_text(values: Sequence[object], most: int = 3) -> str:
    """At most `most` of the values, for the end of a sentence: ``'a', 'b', 'c' and 4 more``."""
    shown = ", ".join(repr(value) for value in values[:most])
    return shown + (f" and {len(values) - most} more" if len(values) > most else "")
