# SPDX-License-Identifier: Apache-2.0
"""This is where it is written which codecs we are willing to decode: those recorders use, no more.

Every decoder is a parser of hostile bytes. One nobody records with is only a way in
(CVE-2026-8461, MagicYUV).
"""

VIDEO_CODECS = frozenset({"h264", "hevc", "mjpeg", "mpeg4", "h263", "mpeg1video", "mpeg2video", "av1", "vp8", "vp9"})
AUDIO_CODECS = frozenset(
    {"aac", "mp3", "mp2", "ac3", "amr_nb", "amr_wb", "opus", "vorbis", "flac", "alac"}
    | {"adpcm_ima_wav", "adpcm_ima_qt", "adpcm_ms", "adpcm_g726"}
    | {"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le", "pcm_u8", "pcm_s8"}
    | {"pcm_alaw", "pcm_mulaw"}
)
PHOTO_CODECS = frozenset({"mjpeg", "png", "webp"})

# Decoders that libav knows by another name than their codec's.
_DECODERS = (
    "libdav1d",
    "mp3float",
    "mp2float",
    "amrnb",
    "amrwb",
    "g726",
    "libopus",
    "ac3_fixed",
    "aac_fixed",
)

DECODER_WHITELIST = ",".join(sorted(VIDEO_CODECS | AUDIO_CODECS | PHOTO_CODECS | set(_DECODERS)))
"""The value of libav's option `codec_whitelist`."""


def is_willing(media_type: str, codec: str, *, is_photo: bool = False) -> bool:
    """True when a stream of this type and codec may be taken in. Data is never decoded, so all of it may."""
    if is_photo:
        return codec in PHOTO_CODECS
    if media_type == "video":
        return codec in VIDEO_CODECS
    return codec in AUDIO_CODECS if media_type == "audio" else True
