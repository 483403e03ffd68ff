import { afterEach, describe, it } from 'vitest'
import type { Backend, Decorator } from '../../src/backend.ts'
import { guard } from '../../src/decorators/guard.ts'
import { immutableTags } from '../../src/decorators/immutable-tags.ts'
import { logged } from '../../src/decorators/logged.ts'
import { notify } from '../../src/decorators/notify.ts'
import { policy } from '../../src/decorators/policy.ts'
import { prefix } from '../../src/decorators/prefix.ts'
import { quota } from '../../src/decorators/quota.ts'
import { readOnly } from '../../src/decorators/read-only.ts'
import { select } from '../../src/decorators/select.ts'
import { silentLogger } from '../../src/logger.ts'
import { testBackend } from '../../src/testing/backend-contract.ts'
import { decoratedStorage, type StackOptions } from './stacks.ts'

/** Outermost first. */
function stacked(...decorators: readonly Decorator[]): Decorator {
  return (inner) => decorators.reduceRight<Backend>((backend, decorate) => decorate(backend), inner)
}

const allowsAll = { beforeManifest: async () => undefined }
const readsConfigs = guard({ beforeManifest: async ({ config }) => void (await config().catch(() => {})) })
const lenient = policy({
  ...{ mediaTypes: '**', artifactTypes: '**' },
  urls: { allow: 'https://**' },
})
const quiet = { logger: silentLogger }

/** What tells no artifact type is of none that is allowed. */
const POLICED: StackOptions = { lacks: ['unknown manifest types'] }

const STACKS: Readonly<Record<string, readonly [decorate: Decorator, options?: StackOptions]>> = {
  prefix: [prefix('mirror/')],
  select: [select('**')],
  'prefix over select': [stacked(prefix('mirror/'), select('mirror/**'))],
  policy: [lenient, POLICED],
  guard: [guard(allowsAll)],
  notify: [notify(() => {}, quiet)],
  'notify to a listener that fails': [notify(() => Promise.reject(new Error('no listener')), quiet)],
  logged: [logged(silentLogger)],
  'immutableTags of other tags': [immutableTags({ match: 'release-*' })],
  immutableTags: [immutableTags(), { lacks: ['move tags', 'delete tags', 'delete manifests', 'delete repositories'] }],
  quota: [quota({ limits: [{ repository: '**', maxBytes: 1e12 }] })],
  'quota of a prefix': [stacked(prefix('mirror/'), quota({ limits: [{ prefix: 'mirror/', maxBytes: 1e12 }] }))],
  'quota of other repositories': [quota({ limits: [{ repository: 'other', maxBytes: 0 }] })],
  readOnly: [readOnly(), { lacks: ['write'], writesBelow: true }],
  'all of them': [
    stacked(
      logged(silentLogger),
      notify(() => {}, quiet),
      prefix('mirror/'),
      select('mirror/**'),
      lenient,
      readsConfigs,
      immutableTags({ match: 'release-*' }),
      quota({ limits: [{ repository: '**', maxBytes: 1e12 }] }),
    ),
    POLICED,
  ],
}

for (const [name, [decorate, options]] of Object.entries(STACKS)) {
  describe(`${name} over storage`, () => {
    testBackend({ describe, it, afterEach }, decoratedStorage(decorate, options))
  })
}
