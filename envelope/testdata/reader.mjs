// A second reader of vectors.json, written from docs/protocol.md alone, on
// Node without packages: node reader.mjs [vectors.json]
//
// It decodes and encodes again every object, computes every digest, key, salt,
// root and path, verifies every Sign1, opens every envelope, seals and opens
// every part of every file, and refuses every changed byte that a Sign1 covers,
// every changed part, every bad description and every bad encoding by its name.
// What Node lacks is left to the Go tests: EIP-712 proofs and X-Wing boxes.
import { readFileSync } from 'node:fs'
import { createHash, createHmac, createCipheriv, createDecipheriv, createPublicKey, createPrivateKey, hkdfSync, verify } from 'node:crypto'

const vectors = JSON.parse(readFileSync(process.argv[2] ?? new URL('vectors.json', import.meta.url), 'utf8'))
const hex = (s) => Buffer.from(s, 'hex')
const H = (...parts) => createHash('sha256').update(Buffer.concat(parts.map((p) => Buffer.from(p)))).digest()
let checks = 0
function same(what, got, want) {
  checks++
  if (Buffer.isBuffer(got)) got = got.toString('hex')
  if (got !== want) throw new Error(`${what}: got ${got}, want ${want}`)
}

// --- deterministic CBOR (section 2)
class Refused extends Error {}
const malformed = () => { throw new Refused('malformed') }
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decode(b) {
  let at = 0, loose = false
  const left = (n) => { if (n > b.length - at) malformed() }
  function head() {
    left(1)
    const major = b[at] >> 5, info = b[at++] & 31
    if (info < 24) return [major, info]
    if (info === 31) {
      if (major < 2 || major > 5) malformed()
      loose = true
      return [major, Infinity]
    }
    if (info > 27) malformed()
    const size = 1 << (info - 24)
    left(size)
    let n = 0n
    for (let i = 0; i < size; i++) n = (n << 8n) | BigInt(b[at++])
    const shortest = n < 24n ? 0 : n < 256n ? 1 : n < 65536n ? 2 : n < 4294967296n ? 4 : 8
    if (shortest !== size) loose = true
    if (n > BigInt(Number.MAX_SAFE_INTEGER)) malformed()
    return [major, Number(n)]
  }
  const ended = () => { left(1); return b[at] === 0xff && at++ >= 0 }
  function string(major, n) {
    if (n === Infinity) {
      const parts = []
      while (!ended()) {
        const [m, size] = head()
        if (m !== major || size === Infinity) malformed()
        parts.push(Buffer.from(string(major, size)))
      }
      return Buffer.concat(parts)
    }
    left(n)
    const s = b.subarray(at, at += n)
    if (major === 2) return s
    try { return utf8.decode(s) } catch { malformed() }
  }
  function item(depth) {
    left(1)
    if (b[at] === 0xf4 || b[at] === 0xf5) return b[at++] === 0xf5
    const [major, n] = head()
    if (major === 0) return n
    if (major === 1) return -1 - n
    if (major === 2 || major === 3) return string(major, n)
    if (major > 5 || depth > 6) malformed()
    if (n !== Infinity) left(n)
    const list = [], keys = []
    for (let i = 0; n === Infinity ? !ended() : i < n; i++) {
      if (major === 5) {
        const start = at, key = item(depth + 1), raw = b.subarray(start, at)
        const last = keys.at(-1)
        if (last) {
          const order = Buffer.compare(last, raw)
          if (order === 0) malformed()
          if (order > 0) loose = true
        }
        keys.push(raw)
        list.push([key, item(depth + 1)])
      } else list.push(item(depth + 1))
    }
    return major === 5 ? new Map(list) : list
  }
  const v = item(1)
  if (at !== b.length) malformed()
  if (loose) throw new Refused('not_canonical')
  return v
}

function head(major, n) {
  if (n < 24) return Buffer.from([major << 5 | n])
  const size = n < 256 ? 1 : n < 65536 ? 2 : n < 4294967296 ? 4 : 8
  const b = Buffer.alloc(1 + size)
  b[0] = major << 5 | 24 + Math.log2(size)
  if (size === 8) b.writeBigUInt64BE(BigInt(n), 1)
  else b.writeUIntBE(n, 1, size)
  return b
}
function encode(v) {
  if (typeof v === 'number') return v < 0 ? head(1, -1 - v) : head(0, v)
  if (typeof v === 'boolean') return Buffer.from([v ? 0xf5 : 0xf4])
  if (typeof v === 'string') return Buffer.concat([head(3, Buffer.byteLength(v)), Buffer.from(v)])
  if (Array.isArray(v)) return Buffer.concat([head(4, v.length), ...v.map(encode)])
  if (v instanceof Map) {
    const entries = [...v].map(([k, x]) => [encode(k), encode(x)]).sort((a, b) => Buffer.compare(a[0], b[0]))
    return Buffer.concat([head(5, v.size), ...entries.flat()])
  }
  return Buffer.concat([head(2, v.length), v])
}

// --- keys and Sign1
const publicKey = (seed) => createPublicKey(createPrivateKey({
  key: Buffer.concat([hex('302e020100300506032b657004220420'), hex(seed)]), format: 'der', type: 'pkcs8',
}))
const keyA = publicKey(vectors.seeds.instanceA), keyB = publicKey(vectors.seeds.instanceB)
const prot = (typ) => encode(new Map([[1, -8], [16, typ]]))
const toBeSigned = (typ, aad, payload) => encode(['Signature1', prot(typ), aad, payload])
const none = Buffer.alloc(0)

// readSign1 returns payload and D, or throws what is wrong.
function readSign1(s, typ, key, aad = none) {
  if (!Array.isArray(s) || s.length !== 4 || !Buffer.isBuffer(s[0]) || !prot(typ).equals(s[0])) malformed()
  const [, unprotected, payload, sig] = s
  if (!(unprotected instanceof Map) || unprotected.size !== 0 || !Buffer.isBuffer(payload) || !Buffer.isBuffer(sig)) malformed()
  decode(payload)
  const message = toBeSigned(typ, aad, payload)
  if (sig.length !== 64 || !verify(null, message, key, sig)) throw new Refused('signature')
  return { payload, d: H(message) }
}

// read returns the digest of an object by its name.
const read = {
  certificate: (v) => H('spine/1 cert', readSign1(v[0], 'spine/cert', keyA).payload),
  package: (v) => H('spine/1 package', readSign1(v, 'spine/package', keyB).payload),
  topic: (v) => H('spine/1 topic', encode(v[0])),
  schema: ([kind, root, files]) => H('spine/1 schema', encode([kind, root, files.map(([name, b]) => [name, H(b)])])),
  core: (v) => H('spine/1 session', encode(v)),
  grant: (v) => {
    if (v.length !== 4 || v[0] !== 3 || v[2].length !== 32) malformed()
    return readSign1(v[1], 'spine/grant', keyA, H('spine/1 grant', v[2], v[3])).d
  },
  envelope: (v) => {
    if (v.length !== 3 || v[0] !== 1) malformed()
    return readSign1(v[1], 'spine/envelope', keyA, H(v[2])).d
  },
  notice: (v) => {
    if (v.length !== 4 || v[0] !== 2 || v[2].length !== 32) malformed()
    const { d } = readSign1(v[1], 'spine/envelope', keyA, v[2])
    const ct = decode(hex(vectors.objects.find((o) => o.name === 'envelope').bytes))[2]
    if (!H(ct).equals(v[2]) || ct.length !== v[3]) throw new Refused('content_hash')
    return d
  },
  mark: (v) => {
    if (v.length !== 2 || v[0] !== 5) malformed()
    const { payload, d } = readSign1(v[1], 'spine/mark', keyA)
    if (decode(payload).get(7) > 2) malformed()
    return d
  },
  receipt: (v) => {
    if (v.length !== 2 || v[0] !== 4) malformed()
    return readSign1(v[1], 'spine/receipt', keyB).d
  },
  login: (v) => readSign1(v, 'spine/login', keyA).d,
  status: (v) => readSign1(v, 'spine/status', keyA).d,
}

for (const o of vectors.objects) {
  const b = hex(o.bytes), v = decode(b)
  same(`${o.name} encoded again`, encode(v), o.bytes)
  same(`${o.name} sum`, H(b), o.sum)
  if (read[o.name]) same(`${o.name} digest`, read[o.name](v), o.digest)
  const signed = read[o.name] && !['topic', 'schema', 'core'].includes(o.name)
  for (const m of signed ? o.mutations : []) {
    if (m.part.startsWith('certificate[1]')) continue // the proof
    const changed = Buffer.from(b)
    changed[m.at] ^= m.xor
    let refused
    try { read[o.name](decode(changed)) } catch (e) { refused = e }
    if (!refused) throw new Error(`${m.part} changed and accepted`)
    checks++
  }
}

// --- sessions and envelopes (sections 9 and 10)
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b }
const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); return b }
function padme(l) {
  const e = Math.floor(Math.log2(l)), k = e - Math.floor(Math.log2(e)) - 1
  return Math.ceil(l / 2 ** k) * 2 ** k
}
const split = (n) => 2 ** Math.floor(Math.log2(n - 1))
function tree(l) {
  if (l.length === 1) return l[0]
  const k = split(l.length)
  return H([1], tree(l.slice(0, k)), tree(l.slice(k)))
}
function path(i, l) {
  if (l.length === 1) return []
  const k = split(l.length)
  return i < k ? [...path(i, l.slice(0, k)), tree(l.slice(k))] : [...path(i - k, l.slice(k)), tree(l.slice(0, k))]
}
const sid = hex(vectors.known.session)
let prev = sid
for (const e of vectors.envelopes) {
  const [, sign1, ct] = decode(hex(e.bytes))
  const { payload, d } = readSign1(sign1, 'spine/envelope', keyA, H(ct))
  const header = decode(payload)
  const keys = Buffer.from(hkdfSync('sha256', hex(vectors.seeds.sessionSecret), sid, Buffer.concat([Buffer.from('spine/1 envelope'), u64(e.seq)]), 64))
  const k = keys.subarray(0, 32), l = keys.subarray(32)
  same('K', k, e.k); same('L', l, e.l); same('H(ct)', H(ct), e.ctHash); same('D', d, e.d)
  same('sid', header.get(2), sid.toString('hex')); same('seq', header.get(3), e.seq); same('prev', header.get(4), prev.toString('hex'))
  const aes = createDecipheriv('aes-256-gcm', k, ct.subarray(0, 12)).setAAD(payload).setAuthTag(ct.subarray(-16))
  const plain = Buffer.concat([aes.update(ct.subarray(12, -16)), aes.final()])
  const size = plain.readUInt32BE(), F = plain.subarray(4, 4 + size)
  same('padding', plain.length, padme(Math.max(256, 4 + size)))
  if (plain.subarray(4 + size).some((c) => c !== 0)) throw new Error('padding is not zero')
  const frames = decode(F)
  const leaves = frames.map((f, i) => {
    decode(f)
    same('frame', f, e.frames[i])
    const salt = createHmac('sha256', l).update(u32(i)).digest().subarray(0, 16)
    same('salt', salt, e.salts[i])
    return H([0], salt, f)
  })
  same('root', H([2], u32(frames.length), tree(leaves)), e.root)
  same('root in header', header.get(6), e.root)
  for (const [i, p] of (e.paths ?? []).entries()) same('path', path(i, leaves).map((x) => x.toString('hex')).join(), p.join())
  prev = d
}

// --- objects and their parts (section 21)
const MiB = 2 ** 20
const full = 16384, sealedFull = full + 16, header = 56
const partSizeFor = (size) => {
  let part = 8 * MiB
  while (part < 1024 * MiB && size > part * 900) part *= 2
  return part
}
const partsOf = (size) => Math.max(1, Math.ceil(size / partSizeFor(size)))
// Cc, Zl, Zp and the characters that change the writing direction
const tricks = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u
const bytes = (v, n) => Buffer.isBuffer(v) && v.length === n

function readObject(b) {
  const bad = () => { throw new Refused('object') }
  let m
  try { m = decode(b) } catch { bad() }
  if (!(m instanceof Map)) bad()
  const name = m.get(3), type = m.get(4), size = m.get(5), list = m.get(8)
  const keys = [1, 2, 4, 5, 6, 7, 8, 9].concat(m.has(3) ? [3] : [])
  if (m.size !== keys.length || !keys.every((k) => m.has(k)) || b.length > 32768) bad()
  if (m.get(1) !== 1 || !bytes(m.get(2), 16) || m.get(2).every((c) => c === 0)) bad()
  if (m.has(3) && (typeof name !== 'string' || name === '' || Buffer.byteLength(name) > 255 || name === '.' || name === '..' || /[/\\]/.test(name) || tricks.test(name))) bad()
  if (typeof type !== 'string' || type === '' || Buffer.byteLength(type) > 128 || tricks.test(type)) bad()
  if (!(size >= 0 && size <= 900 * 1024 * MiB) || m.get(6) !== partSizeFor(size)) bad()
  if (!bytes(m.get(7), 32) || !bytes(m.get(9), 32) || !Array.isArray(list) || list.length !== partsOf(size) || !list.every((p) => bytes(p, 32))) bad()
  return { oid: m.get(2), size, partSize: m.get(6), key: m.get(7), parts: list, sha256: m.get(9) }
}
for (const d of vectors.descriptions) {
  let got = ''
  try { readObject(hex(d.bytes)) } catch (err) { if (!(err instanceof Refused)) throw err; got = err.message }
  same(`description, ${d.name}`, got, d.code)
}

// expand is HKDF-Expand (RFC 5869 section 2.3) with SHA-512.
function expand(prk, info, n) {
  let out = Buffer.alloc(0), t = out
  for (let i = 1; out.length < n; i++) {
    t = createHmac('sha512', prk).update(t).update(info).update(Buffer.from([i])).digest()
    out = Buffer.concat([out, t])
  }
  return out.subarray(0, n)
}
function chunkKeys(key, salt, context) {
  const info = Buffer.concat([Buffer.from('c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0'), salt, context])
  const b = expand(key, info, 76)
  return { key: b.subarray(0, 32), nonce: b.subarray(32, 44), commitment: b.subarray(44) }
}
function nonceOf(base, n) {
  const b = Buffer.from(base)
  b.writeUInt32BE((b.readUInt32BE(8) ^ n) >>> 0, 8) // no part here has 2^32 chunks
  return b
}
function sealPart(key, salt, context, plain) {
  const k = chunkKeys(key, salt, context), out = [salt, k.commitment]
  for (let n = 0; n * full <= plain.length; n++) {
    const aes = createCipheriv('aes-256-gcm', k.key, nonceOf(k.nonce, n))
    out.push(aes.update(plain.subarray(n * full, (n + 1) * full)), aes.final(), aes.getAuthTag())
  }
  return Buffer.concat(out)
}
// openPart opens the bytes that the description names for this place.
function openPart(o, i, sealed) {
  const length = Math.min(o.partSize, o.size - i * o.partSize)
  if (sealed.length !== header + length + 16 * (Math.floor(length / full) + 1)) throw new Refused('truncated')
  const k = chunkKeys(o.key, sealed.subarray(0, 24), partContext(o, i))
  if (!k.commitment.equals(sealed.subarray(24, header))) throw new Refused('part')
  const out = []
  for (let n = 0, at = header; at < sealed.length; n++, at += sealedFull) {
    const chunk = sealed.subarray(at, at + sealedFull)
    const aes = createDecipheriv('aes-256-gcm', k.key, nonceOf(k.nonce, n)).setAuthTag(chunk.subarray(-16))
    try { out.push(aes.update(chunk.subarray(0, -16)), aes.final()) } catch { throw new Refused('part') }
  }
  return Buffer.concat(out)
}
const partContext = (o, i) => Buffer.concat([Buffer.from('spine/1 part'), o.oid, u32(i), Buffer.from([i === o.parts.length - 1 ? 1 : 0])])
const content = Buffer.alloc(8 * MiB + 32) // as much as the longest needs
for (let at = 0, i = Buffer.alloc(8); at < content.length; at += 32) {
  i.writeUInt32BE(at / 32, 4)
  createHash('sha256').update(i).digest().copy(content, at)
}
for (const f of vectors.files) {
  const o = readObject(hex(f.description)), plain = content.subarray(0, f.size)
  same('size', o.size, f.size); same('parts', o.parts.length, f.parts.length); same('sha256', H(plain), o.sha256.toString('hex'))
  for (const [i, p] of f.parts.entries()) {
    same('context', partContext(o, i), p.context)
    const mine = plain.subarray(i * o.partSize, (i + 1) * o.partSize)
    const sealed = sealPart(o.key, H('salt', u32(i)).subarray(0, 24), partContext(o, i), mine)
    same('sealed size', sealed.length, p.sealedSize)
    same('hash of the part', H(sealed), o.parts[i].toString('hex'))
    if (p.sealed) same('sealed part', sealed, p.sealed)
    same('opened part', H(openPart(o, i, sealed)), H(mine).toString('hex'))
    for (const c of p.changed ?? []) {
      const b = Buffer.alloc(c.length)
      sealed.copy(b)
      b[c.at] ^= c.xor
      let got = 'opened'
      try { openPart(o, i, b) } catch (err) { if (!(err instanceof Refused)) throw err; got = err.message }
      same(`${f.size} bytes, ${c.what}`, got, c.code)
    }
  }
}

for (const e of vectors.encoding) {
  let got = 'accepted'
  try { decode(hex(e.bytes)) } catch (err) { if (!(err instanceof Refused)) throw err; got = err.message }
  same(`encoding, ${e.name}`, got, e.code)
}

// --- addresses (section 4)
function address(did, inst) {
  const h = H('spine/1 address', did, [0], u64(inst))
  let bits = ''
  for (const c of h) bits += c.toString(2).padStart(8, '0')
  return Array.from({ length: 26 }, (_, i) => 'abcdefghijklmnopqrstuvwxyz234567'[parseInt(bits.slice(5 * i, 5 * i + 5), 2)]).join('')
}
same('address A', address(vectors.known.didA, 0), vectors.known.addressA)
same('address B', address(vectors.known.didB, 0), vectors.known.addressB)
same('prot', prot('spine/envelope'), vectors.known.protEnvelope)
same('box info', Buffer.concat([Buffer.from('spine/1 box'), sid, hex(vectors.objects.find((o) => o.name === 'package').digest)]), vectors.known.boxInfo)

console.log(`${checks} checks hold`)
