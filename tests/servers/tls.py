# SPDX-License-Identifier: Apache-2.0
"""A certificate for 127.0.0.1 and localhost, made when a test asks for it."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


def make_certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context, and the certificate file that trusts it.

    Tests that call it are marked ``tool("openssl")``.
    """
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(key),
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
