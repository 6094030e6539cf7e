# SPDX-License-Identifier: Apache-2.0
"""Lock, fetch, verify and serve four models, ask each of them, and check the answers.

Prints like a shell transcript and exits with 0 if every command and every answer was
right. Run it from anywhere: `python examples/quickstart/demo.py`.
"""

from __future__ import annotations

import http.client
import io
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from checks import (
    Expected,
    Finding,
    check_file_types,
    check_reading,
    check_sentences,
    check_speech,
    cosines,
)
from client import Client, ServerError
from file_type import Rules

HERE = Path(__file__).resolve().parent
COMMAND_DEADLINE_S = 1800
READY_DEADLINE_S = 300
STOP_DEADLINE_S = 30
POLL_S = 0.2
LOG_TAIL_LINES = 40


class DemoFailed(Exception):
    """A command failed, or an answer was wrong."""


def say(text: str = "") -> None:
    """Print at once, so that our lines and those of the commands keep their order."""
    print(text, flush=True)


def heading(text: str) -> None:
    """A short line above what comes."""
    say(f"\n== {text}")


def command_line(*arguments: str) -> list[str]:
    """modelkeep as a module of this very Python, whatever `modelkeep` means on the path."""
    return [sys.executable, "-m", "modelkeep", *arguments]


def modelkeep(*arguments: str) -> float:
    """Run one modelkeep command in the project's folder.

    Returns:
        Its wall time in seconds, the start of Python included.

    Raises:
        DemoFailed: It exits with another code than 0, or not at all.
    """
    shown = " ".join(["modelkeep", *arguments])
    say(f"$ {shown}")
    began_s = time.perf_counter()
    try:
        code = subprocess.run(
            command_line(*arguments), cwd=HERE, timeout=COMMAND_DEADLINE_S, check=False
        ).returncode
    except subprocess.TimeoutExpired as error:
        raise DemoFailed(
            f"{shown}: expected an end within {COMMAND_DEADLINE_S} s, got none"
        ) from error
    if code != 0:
        raise DemoFailed(f"{shown}: expected exit code 0, got {code}")
    return time.perf_counter() - began_s


def free_port() -> int:
    """A port of this machine that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """`modelkeep serve` as a child process, which never outlives the `with` block."""

    def __init__(self, port: int) -> None:
        """Choose the port; nothing runs yet."""
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        with tempfile.NamedTemporaryFile(
            prefix="modelkeep-quickstart-", suffix=".log", delete=False
        ) as log:
            self.log = Path(log.name)

    def __enter__(self) -> Server:
        """Start the server, its output in a file."""
        arguments = ("serve", "--port", str(self.port))
        say(f"$ modelkeep {' '.join(arguments)} > {self.log} 2>&1 &")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command_line(*arguments), cwd=HERE, stdout=log, stderr=subprocess.STDOUT
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server if it still runs; after a failure, show the end of its log."""
        try:
            self._end()
        finally:
            if kind is not None:
                lines = self.log.read_text("utf-8", errors="replace").splitlines()
                say(f"\n-- the last lines of {self.log}")
                say("\n".join(lines[-LOG_TAIL_LINES:]))

    def wait_until_ready(self) -> float:
        """Poll until all models are there that should be there at the start.

        Returns:
            Seconds since the first question.

        Raises:
            DemoFailed: The server ended, or was not ready in time.
        """
        say(f"$ curl {self.url}/health/ready")
        began_s = time.monotonic()
        told = ""
        while (waited_s := time.monotonic() - began_s) < READY_DEADLINE_S:
            if (code := self._process.poll()) is not None:
                raise DemoFailed(f"serve: expected it to run, got exit code {code}")
            ready, body = self._ask_ready()
            if body != told:
                say(f"{waited_s:6.1f} s  {body}")
                told = body
            if ready:
                return waited_s
            time.sleep(POLL_S)
        raise DemoFailed(f"serve: expected ready within {READY_DEADLINE_S} s, got {told or 'none'}")

    def _ask_ready(self) -> tuple[bool, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/health/ready")
            response = connection.getresponse()
            body = json.dumps(json.loads(response.read()))
            return response.status == 200, body
        except (OSError, http.client.HTTPException, ValueError) as error:
            return False, f"no answer yet ({type(error).__name__})"
        finally:
            connection.close()

    def stop(self) -> None:
        """Ask the server to end, and expect that it does so in good order.

        Raises:
            DemoFailed: It takes too long, or exits with another code than 0.
        """
        say(f"$ kill -TERM {self._process.pid}")
        began_s = time.monotonic()
        code = self._end()
        if code != 0:
            raise DemoFailed(f"serve: after SIGTERM, expected exit code 0, got {code}")
        say(f"stopped with exit code 0 after {time.monotonic() - began_s:.1f} s")

    def _end(self) -> int:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired as error:
                self._process.kill()
                self._process.wait()
                raise DemoFailed(
                    f"serve: expected an end within {STOP_DEADLINE_S} s of SIGTERM, got none"
                ) from error
        return int(self._process.returncode)


def silence(duration_s: float) -> bytes:
    """A WAV file in which nothing is to be heard."""
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(16_000)
        recording.writeframes(bytes(2 * int(duration_s * 16_000)))
    return file.getvalue()


def magika_folder() -> Path:
    """Where modelkeep shows the files of `magika`, by its Python API."""
    from modelkeep import Keep

    return Path(Keep.open(HERE).path("magika"))


def ask(client: Client, expected: Expected) -> list[Finding]:
    """Ask every model, print what it says, and compare."""
    findings: list[Finding] = []

    def compare(*compared: Finding) -> None:
        findings.extend(compared)
        say("\n".join(f"   {finding}" for finding in compared))

    heading("magika: what kind of file is this?")
    files = list(expected.file_types)
    contents = [(HERE / file).read_bytes() for file in files]
    found = client.file_types(contents, Rules.read(magika_folder()))
    labels = {file: one.label for file, one in zip(files, found, strict=True)}
    compare(*check_file_types(expected.file_types, labels))

    heading("silero-vad: when does somebody speak?")
    speech = expected.speech
    segments = client.speech((HERE / speech.file).read_bytes())
    compare(check_speech(speech.file, speech.segments_s, segments, speech.tolerance_s))
    compare(
        check_speech("two seconds of silence", (), client.speech(silence(2.0)), speech.tolerance_s)
    )

    heading("rapidocr: what does the sign say?")
    lines = client.read((HERE / expected.reading.file).read_bytes())
    text, scores = [line.text for line in lines], [line.score for line in lines]
    compare(*check_reading(expected.reading, text, scores))

    heading("minilm: which sentences mean the same? (loaded by this question)")
    sentences = expected.sentences
    rows = client.embed(sentences.texts)
    compare(*check_sentences(sentences, cosines(sentences.pairs, sentences.texts, rows)))
    return findings


def fetch() -> None:
    """From wishes to verified files."""
    heading("Write down every byte of the four models")
    modelkeep("lock")
    heading("Fetch them")
    modelkeep("sync")
    heading("Read them all again and compare their digests")
    modelkeep("verify")
    heading("Fetch once more: nothing is left to do")
    wall_s = modelkeep("sync")
    say(f"{1000 * wall_s:.0f} ms, the start of Python included")


def serve(expected: Expected) -> None:
    """Serve the models, ask them, and stop.

    Raises:
        DemoFailed: The server did not do as it should, or an answer was wrong.
    """
    heading("Serve them")
    with Server(free_port()) as server:
        say(f"ready after {server.wait_until_ready():.1f} s")
        findings = ask(Client(server.url), expected)
        heading("How do they stand?")
        modelkeep("status", "--url", server.url)
        heading("Stop")
        server.stop()
        wrong = [finding for finding in findings if not finding.right]
        if wrong:
            raise DemoFailed(f"{len(wrong)} of {len(findings)} answers are wrong")
    say(f"\nAll {len(findings)} answers are right.")


def _leave(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> int:
    """The whole demo; the exit code."""
    # Python ends at once on SIGTERM unless told otherwise, and would leave the server behind.
    signal.signal(signal.SIGTERM, _leave)
    expected = Expected.parse((HERE / "expected.toml").read_text("utf-8"))
    try:
        fetch()
        serve(expected)
    except (DemoFailed, ServerError) as error:
        say(f"\nFAILED: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
