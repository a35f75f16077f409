"""Data URLs (RFC 2397), the way image and file parts carry inline bytes."""

from ..errors import InvalidRequest


def split_data_url(url: str) -> tuple[str, str]:
    """``data:image/png;base64,AAAA`` as (media type, base64 text)."""
    header, comma, data = url.partition(",")
    media_type, _, encoding = header.removeprefix("data:").partition(";")
    if not comma or encoding != "base64":
        raise InvalidRequest("a data URL must have the form data:<media type>;base64,<data>")
    return media_type, data
