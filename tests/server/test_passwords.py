import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_sim.server.passwords import Hashed

SALT = b"0123456789abcdef"


def test_a_password_is_recognized_and_others_are_not():
    hashed = Hashed.of("grüße: 日本", SALT)

    assert hashed.fits("grüße: 日本")
    assert not hashed.fits("grüße: 日本 ")
    assert not hashed.fits("")


@given(st.binary(min_size=17, max_size=64), st.binary(min_size=17, max_size=64), st.integers(10, 15))
@settings(max_examples=50)
def test_a_hash_reads_back_from_its_line(salt, hashed, cost):
    value = Hashed(cost, 8, 1, salt, hashed)

    assert Hashed.read(str(value)) == value


def test_a_hash_of_another_make():
    # RFC 7914, 12: scrypt of "pleaseletmein" with the salt "SodiumChloride", N=16384, r=8, p=1.
    wanted = bytes.fromhex(
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )
    hashed = Hashed(14, 8, 1, b"SodiumChloride", wanted)

    assert Hashed.read(str(hashed)).fits("pleaseletmein")
    assert not hashed.fits("pleaseletmeout")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must look like"),
        ("hunter2", "must look like"),
        ("$scrypt$ln=14,r=8,p=1$short$" + "A" * 43, "must look like"),
        ("$argon2id$v=19$m=65536,t=3,p=4$" + "A" * 22 + "$" + "A" * 43, "must look like"),
        ("$scrypt$ln=14,r=8,p=1$" + "A" * 22 + "$" + "A" * 43 + "\n", "must look like"),
        ("$scrypt$ln=5,r=8,p=1$" + "A" * 22 + "$" + "A" * 43, "ln must be 10 or more"),
        ("$scrypt$ln=99,r=8,p=1$" + "A" * 22 + "$" + "A" * 43, "256 MiB"),
        ("$scrypt$ln=20,r=99,p=1$" + "A" * 22 + "$" + "A" * 43, "256 MiB"),
        ("$scrypt$ln=14,r=0,p=1$" + "A" * 22 + "$" + "A" * 43, "ln must be"),
        ("$scrypt$ln=14,r=8,p=1$" + "A" * 25 + "$" + "A" * 43, "not base64"),
    ],
)
def test_lines_that_are_no_hash_are_not_repeated(text, words):
    with pytest.raises(ValueError) as caught:
        Hashed.read(text)

    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
