"""Makes peer.json: what another implementation, the Python package
cryptography (50.0.2, in Rust, Apache-2.0 OR BSD-3-Clause), seals.

    pip install 'cryptography>=50' && python3 peer.py > peer.json

It draws its own salts, so each run gives other values; with the salt given,
every sealed byte can be computed again, which cobblestone_test.go does. The
plain bytes of a vector are SHA-256(u64 0) || SHA-256(u64 1) || ..., cut to
size.
"""

import hashlib
import json

import cryptography
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor

MiB = 1 << 20
KEY = bytes(range(32))


def plain(size):
    n = (size + 31) // 32
    return b"".join(hashlib.sha256(i.to_bytes(8, "big")).digest() for i in range(n))[:size]


def vector(size, context):
    body = plain(size)
    encryptor = Cobblestone256Encryptor(KEY, context=context)
    sealed = encryptor.update(body) + encryptor.finalize()
    decryptor = Cobblestone256Decryptor(KEY, context=context)
    assert decryptor.update(sealed) + decryptor.finalize() == body
    return {
        "size": size,
        "context": context.hex(),
        "salt": sealed[:24].hex(),
        "commitment": sealed[24:56].hex(),
        "sealedSize": len(sealed),
        "sealedSHA256": hashlib.sha256(sealed).hexdigest(),
    }


print(json.dumps({
    "about": f"made by peer.py with the Python package cryptography {cryptography.__version__}",
    "key": KEY.hex(),
    "vectors": [
        vector(size, context)
        for size in (0, 1, 16383, 16384, 16385, 40000, 8 * MiB - 1, 8 * MiB, 8 * MiB + 1)
        for context in (b"", b"spine/1 part" + bytes(range(16)) + b"\0\0\0\7\1")
    ],
}, indent=1))
