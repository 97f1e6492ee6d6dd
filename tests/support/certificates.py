"""A certificate authority in files, with certificates for a server and a client."""

import ipaddress
import ssl
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

#: A private key as in the file of a service account. The account does not exist.
PRIVATE_KEY = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
_NAMES = ("localhost", "metadata.google.internal", "token.example")
_ADDRESSES = ("127.0.0.1", "169.254.169.254")


class Certificates:
    """Paths of PEM files in `folder`: `authority`, `client`, `client_key`, and `client_both` with certificate and key."""

    def __init__(self, folder):
        key, name = ec.generate_private_key(ec.SECP256R1()), _name("authority")
        authority = _build(name, name, key.public_key(), key, is_authority=True)
        self.authority = _write(folder / "authority.pem", authority.public_bytes(Encoding.PEM))
        self.server, self.server_key = self._issue(folder, "server", name, key)
        self.client, self.client_key = self._issue(folder, "client", name, key)
        both = self.client.read_bytes() + self.client_key.read_bytes()
        self.client_both = _write(folder / "client-both.pem", both)

    def server_context(self):
        """Return a TLS context that accepts only clients with a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server, self.server_key)
        context.load_verify_locations(self.authority)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _issue(self, folder, name, issuer, issuer_key):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _build(_name(name), issuer, key.public_key(), issuer_key)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return (
            _write(folder / f"{name}.pem", certificate.public_bytes(Encoding.PEM)),
            _write(folder / f"{name}.key", private),
        )


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _write(path, data):
    path.write_bytes(data)
    return path


def _build(subject, issuer, public_key, signer, *, is_authority=False):
    now = datetime.now(timezone.utc)
    names = [
        *map(x509.DNSName, _NAMES),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES),
    ]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        # Python 3.13 requires both key identifiers in a certificate.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(_usage(is_authority=is_authority), critical=True)
        .sign(signer, hashes.SHA256())
    )


def _usage(*, is_authority):
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
