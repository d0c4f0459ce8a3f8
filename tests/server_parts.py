"""What servers of tests have in common: commands that set them up, and a certificate."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path


def run(command: Sequence[str], **environment: str) -> None:
    """Raises AssertionError with what it said where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    if done.returncode:
        raise AssertionError(f"{command[0]} failed: {done.stdout}{done.stderr}")


def certificate(folder: Path, name: str, password: str, *, keytool: str = "keytool") -> Path:
    """A key and its certificate for 127.0.0.1 in `name`.p12 of the folder; the certificate's file in PEM."""
    store = ["-keystore", str(folder / f"{name}.p12"), "-storepass", password, "-alias", name]
    names = ["-dname", "CN=localhost", "-ext", "san=ip:127.0.0.1,dns:localhost", "-ext", "bc=ca:true"]
    run([keytool, "-genkeypair", "-keyalg", "RSA", "-keysize", "2048", "-storetype", "PKCS12", *names, *store])
    run([keytool, "-exportcert", "-rfc", "-file", str(folder / f"{name}.pem"), *store])
    return folder / f"{name}.pem"
