"""The MLLP listener of this service: what it may do, and how it is protected."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Awaitable, Callable

from curbside.errors import OperatorError
from curbside.identity.principal import Principal, Role
from curbside.settings import BadSetting, Profile
from curbside_ingestion.hl7_exchange import Answer
from curbside_ingestion.mllp import MllpServer
from curbside_ingestion.settings import IngestionSettings


class CannotListenForHl7(OperatorError):
    code = "operator.cannot-listen-for-hl7"


def mllp_listener(
    answer: Callable[[bytes, str, Principal], Awaitable[Answer]],
    settings: IngestionSettings,
    *,
    tenant: str,
    profile: Profile,
) -> MllpServer | None:
    """The listener that the settings ask for, not started; None where they name no port.

    Raises BadSetting."""
    if settings.mllp_port is None:
        return None
    tls = _tls(settings)
    if tls is None and (profile is Profile.PRODUCTION or not _is_loopback(settings.mllp_host)):
        raise BadSetting(
            "CURBSIDE_INGESTION__MLLP_PORT opens a listener without TLS: set "
            "CURBSIDE_INGESTION__MLLP_CERTIFICATE_FILE, __MLLP_KEY_FILE and __MLLP_CLIENT_CA_FILE, or "
            "listen on the loopback address in the development profile."
        )
    principal = Principal(f"mllp:{settings.mllp_source}", tenant, frozenset({Role.HOSPITAL_SYSTEM}))

    async def receive(message: bytes) -> bytes:
        return (await answer(message, settings.mllp_source, principal)).acknowledgement

    return MllpServer(
        receive,
        host=settings.mllp_host,
        port=settings.mllp_port,
        max_message_bytes=settings.mllp_max_message_bytes,
        max_connections=settings.mllp_max_connections,
        idle_seconds=settings.mllp_idle.total_seconds(),
        tls=tls,
    )


async def listen(server: MllpServer) -> None:
    """Listen for as long as the service runs. Raises CannotListenForHl7."""
    try:
        await server.start()
    except OSError as error:
        raise CannotListenForHl7(
            f"the MLLP listener cannot listen ({error.strerror}): set CURBSIDE_INGESTION__MLLP_HOST and "
            "CURBSIDE_INGESTION__MLLP_PORT to a free address of this machine."
        ) from error
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()


def _tls(settings: IngestionSettings) -> ssl.SSLContext | None:
    certificate, key, authority = (
        settings.mllp_certificate_file,
        settings.mllp_key_file,
        settings.mllp_client_ca_file,
    )
    if certificate is None and key is None and authority is None:
        return None
    if certificate is None or key is None or authority is None:
        raise BadSetting(
            "CURBSIDE_INGESTION__MLLP_CERTIFICATE_FILE, __MLLP_KEY_FILE and __MLLP_CLIENT_CA_FILE belong "
            "together: without the last whoever reaches the port could send reports."
        )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(authority)
    except (OSError, ssl.SSLError) as error:
        raise BadSetting(f"the certificates of the MLLP listener cannot be read: {error.strerror}.") from None
    return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
