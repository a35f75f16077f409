"""Can the keys of every token issuer be read?"""

import asyncio
from collections.abc import Sequence

from ...jwt_settings import JwtIssuerSettings
from .finding import Finding


async def check_issuers(issuers: Sequence[JwtIssuerSettings]) -> list[Finding]:
    """One finding for each issuer."""
    return list(await asyncio.gather(*(_check(issuer) for issuer in issuers)))


async def _check(issuer: JwtIssuerSettings) -> Finding:
    from ...identity.jwks import UnusableKeys
    from ...identity.jwks_source import read_keys

    what = f"token issuer {issuer.name}"
    try:
        _, keys = await read_keys(issuer)
    except UnusableKeys as exc:
        return Finding(
            "error",
            what,
            f"its keys cannot be read: {exc.message}",
            "its tokens are refused until that works: is the address or path in auth.jwt right, and within reach?",
        )
    return Finding("ok", what, f"{keys.count} key{'s' if keys.count != 1 else ''} read")
