// Manifests just under the 4 MiB that are accepted, each costly in another way to whoever parses before looking.
const LIMIT = 4 * 1024 * 1024

/** `{ name, content, status, code }`: what has to be answered. */
export function* hostileManifests() {
  const invalid = { status: 400, code: 'MANIFEST_INVALID' }
  yield { name: 'nested arrays', content: filled('{"a":', '[', '', ''), ...invalid }
  yield { name: 'nested objects', content: filled('', '{"a":', '', ''), ...invalid }
  yield { name: 'lists of empty objects', content: filled('{"layers":[', '{},', '{}', ']}'), ...invalid }
  yield { name: 'lists of empty arrays', content: filled('{"layers":[', '[],', '[]', ']}'), ...invalid }
  yield { name: 'hundreds of thousands of keys', content: keys(), ...invalid }
  yield { name: 'the same key again and again', content: filled('{', '"layers":0,', '"layers":0', '}'), ...invalid }
  yield { name: 'endless numbers', content: filled('{"schemaVersion":', '9', '', '}'), ...invalid }
  yield { name: 'escapes without end', content: filled('{"annotations":{"a":"', '\\u0041', '', '"}'), ...invalid }
  yield { name: 'white space without end', content: filled('{', ' \n', '', ''), ...invalid }
  yield { name: 'a string that never ends', content: filled('{"a":"', 'x', '', ''), ...invalid }
  yield { name: 'bytes that are no UTF-8', content: Buffer.alloc(LIMIT, 0xc0), ...invalid }
  yield { name: 'the most descriptors that fit', content: descriptors(), ...invalid }
}

/** `head`, as many of `unit` as fit, `last`, `tail`. */
function filled(head, unit, last, tail) {
  const room = LIMIT - head.length - last.length - tail.length
  return Buffer.from(head + unit.repeat(Math.floor(room / unit.length)) + last + tail)
}

function keys() {
  const pairs = Array.from({ length: 300_000 }, (_, i) => `"k${i}":0`)
  return Buffer.from(`{${pairs.join(',')}}`)
}

function descriptors() {
  const descriptor = (i) =>
    `{"mediaType":"application/vnd.oci.image.layer.v1.tar","size":1,"digest":"sha256:${i.toString(16).padStart(64, '0')}"}`
  const all = Array.from({ length: 25_000 }, (_, i) => descriptor(i))
  return Buffer.from(`{"schemaVersion":2,"config":${descriptor(1)},"layers":[${all.join(',')}]}`)
}
