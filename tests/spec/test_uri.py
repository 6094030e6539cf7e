# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelkeep.spec.errors import InvalidValue
from modelkeep.spec.uri import SourceUri, redact

COMMIT = "0123456789" * 4

GOOD = [
    ("hf:gpt2", SourceUri("hf", "gpt2")),
    ("hf:org/name", SourceUri("hf", "org/name")),
    ("hf:org/na-me.v1_2@main", SourceUri("hf", "org/na-me.v1_2", "main")),
    (f"hf:org/name@{COMMIT}", SourceUri("hf", "org/name", COMMIT)),
    ("hf:org/name@refs/pr/1", SourceUri("hf", "org/name", "refs/pr/1")),
    ("hf:datasets/org/name@v1", SourceUri("hf", "datasets/org/name", "v1")),
    ("hf:spaces/org/name", SourceUri("hf", "spaces/org/name")),
    ("pypi:package", SourceUri("pypi", "package")),
    ("pypi:p", SourceUri("pypi", "p")),
    ("pypi:A.b-c_d==1.0.post1", SourceUri("pypi", "A.b-c_d", "1.0.post1")),
    ("pypi:package==1.0/inner/folder", SourceUri("pypi", "package", "1.0", "inner/folder")),
    ("pypi:package/inner", SourceUri("pypi", "package", None, "inner")),
    ("https://host/a/b.onnx", SourceUri("https", "//host/a/b.onnx")),
    ("https://host:8443/@scope/b", SourceUri("https", "//host:8443/@scope/b")),
    ("http://[::1]:80/b@c", SourceUri("http", "//[::1]:80/b@c")),
    ("https://host/f?a=b#c", SourceUri("https", "//host/f?a=b#c")),
    ("file:models/pat", SourceUri("file", "models/pat")),
    ("file:/models/p@t", SourceUri("file", "/models/p@t")),
    ("file:~/models", SourceUri("file", "~/models")),
    ("s3:bucket/key", SourceUri("s3", "bucket/key")),
    ("x-plug.in+1:anything at all", SourceUri("x-plug.in+1", "anything at all")),
]

BAD = [
    "",
    "org/name",
    ":",
    "hf:",
    "HF:org/name",
    "1hf:org/name",
    "hf:a/b/c",
    "hf:datasets/a/b/c",
    "hf:org/",
    "hf:/name",
    "hf:../name",
    "hf:org/..",
    "hf:./name",
    "hf:.",
    "hf:org/na me",
    "hf:org/name@",
    "hf:org/name@a b",
    "hf:org/name@a@b",
    "hf:örg/name",
    "hf:org/name\n",
    "pypi:",
    "pypi:-p",
    "pypi:p-",
    "pypi:päckage",
    "pypi:p=1",
    "pypi:p==",
    "pypi:p==1 2",
    "pypi:p/",
    "pypi:p//a",
    "pypi:p/a//b",
    "pypi:p/../a",
    "pypi:p/./a",
    "pypi:p/a\\b",
    "pypi:p/a\tb",
    "https:host/path",
    "https:///path",
    "https://",
    "https://host/a b",
    "https://host:port/a",
    "https://host:99999/a",
    "https://[::1/a",
    "http://host/a\n",
]


@pytest.mark.parametrize(("text", "uri"), GOOD)
def test_a_source_reads_as_its_parts_and_back(text: str, uri: SourceUri) -> None:
    assert SourceUri.parse(text) == uri
    assert str(uri) == text


@pytest.mark.parametrize("text", BAD)
def test_a_source_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="source"):
        SourceUri.parse(text)


@given(
    st.from_regex(r"(hf|pypi|https?|file|s3):[^\x00]*", fullmatch=True)
    | st.from_regex(r"pypi:[a-z]+(==[0-9.]+)?(/[a-z ./]+)?", fullmatch=True)
    | st.from_regex(r"hf:[\w./-]+(@[\w./]+)?", fullmatch=True)
)
@example("pypi:p//  a")
@example("pypi:p/a ")
def test_what_parses_prints_as_what_parses_the_same(text: str) -> None:
    try:
        uri = SourceUri.parse(text)
    except InvalidValue:
        return
    assert SourceUri.parse(str(uri)) == uri


def test_a_source_without_its_revision_is_the_same_place() -> None:
    pinned = SourceUri.parse("pypi:p==1.0/inner")
    assert str(pinned.unpinned()) == "pypi:p/inner"
    assert str(SourceUri.parse("hf:org/name@main").unpinned()) == "hf:org/name"


SECRET_URLS = [
    "https://user:hunter2@host/a",
    "https://hunter2@host/a",
    "http://:hunter2@host/a",
    "https://user:hun@ter2@host/a",
    "https://user:x/hunter2@host/a",
    "https://user:hunter2#x@host/a",
    "https://user:hunter2 x@host/a",
    "https://us\u2100er:hunter2@host/a",
    "https://@host/a",
    "s3://hunter2:x@bucket/key",
    "file://user:hunter2@host/a",
]


@pytest.mark.parametrize("text", SECRET_URLS)
def test_user_information_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        SourceUri.parse(text)
    for said in (str(caught.value), repr(caught.value), str(caught.value.__cause__)):
        assert "ter2" not in said


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/a", "https://host/a"),
        ("https://host:8080/@scope/pkg", "https://host:8080/@scope/pkg"),
        ("https://host/a?at=me@here", "https://host/a?at=me@here"),
        ("https://u:p@host/a", "https://***@host/a"),
        ("https://u:p@ss@host/a", "https://***@host/a"),
        ("https://u:p/ss@host/a", "https://***@host/a"),
        ("https://h/a?token=x&b=1", "https://h/a?token=***&b=1"),
        ("https://h/a?b=1&X-Amz-Signature=x", "https://h/a?b=1&X-Amz-Signature=***"),
        ("https://h/a?X-Amz-Security-Token=x#f", "https://h/a?X-Amz-Security-Token=***#f"),
        ("https://h/a?sv=1&sig=a%2Fb&se=2", "https://h/a?sv=1&sig=***&se=2"),
        ("https://h/a?api_key=x&ACCESS_TOKEN=y", "https://h/a?api_key=***&ACCESS_TOKEN=***"),
        ("https://h/a?design=x", "https://h/a?design=x"),
    ],
)
def test_a_redacted_url_shows_where_and_no_secret(url: str, shown: str) -> None:
    assert redact(url) == shown


@given(st.text(st.characters(exclude_characters="/?#@ \n"), min_size=4))
def test_no_password_survives_redaction(password: str) -> None:
    assert redact(f"https://u:{password}@h/") == "https://***@h/"
