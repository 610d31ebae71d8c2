import gateway.credentials
import readers.credentials


def test_the_gateway_has_its_secrets_from_the_same_place_as_the_readers() -> None:
    """What a credential is, and every fault of it, is tested in tests/readers/test_credentials.py."""
    assert gateway.credentials.credential is readers.credentials.credential
    assert gateway.credentials.LARGEST_BYTES == readers.credentials.LARGEST_BYTES
