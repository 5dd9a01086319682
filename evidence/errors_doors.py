# SPDX-License-Identifier: Apache-2.0
"""This is where the errors stand that people and programs meet at the web's doors; `evidence.errors` names them all."""

from evidence.error_families import Refused, Unacceptable, Unavailable


class NotAllowed(Refused):
    """What was asked for is not among the things that this person or program may do."""

    code = "not-allowed"


class ProveAgain(Refused):
    """For this act the person must have proved who they are within the last minutes."""

    code = "prove-again"


class SecondFactorNeeded(Refused):
    """This person's roles want a second factor for this act: codes beside the password, or a passkey."""

    code = "second-factor"


class TooManyTries(Unavailable):
    """Wrong passwords or codes came too often; the right one is not looked at either, for a while."""

    code = "too-many-tries"


class KeyReused(Unacceptable):
    """An idempotency key came again with another request: each key is of one request."""

    code = "key-reused"


class UnderWay(Refused):
    """The same request is being answered at this moment; ask again for its answer."""

    code = "under-way"


class AnswerLost(Refused):
    """The same request was begun before and its answer is not kept: look at what it was to do, before doing it anew."""

    code = "answer-lost"


class ChangedMeanwhile(Refused):
    """What was to be changed is not as the client saw it: read it again first."""

    code = "changed-meanwhile"
