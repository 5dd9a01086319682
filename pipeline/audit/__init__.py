# SPDX-License-Identifier: Apache-2.0
"""This is where evidence is audited: everything at rest, one recording, or a file that somebody holds.

It shares no code with the steps that wrote: it reads the log, believes signed records only, and walks both
ways, from the records to the store and the register, and from those back to the records. A damaged thing is a
finding, never an error; a store that cannot be read now is an error, never a finding.
"""

from pipeline.audit.clip import verify_clip
from pipeline.audit.log import trust_of
from pipeline.audit.sheet import to_json
from pipeline.audit.trust import Trust
from pipeline.audit.whole import verify_all, verify_file, verify_recording

__all__ = ["Trust", "to_json", "trust_of", "verify_all", "verify_clip", "verify_file", "verify_recording"]
