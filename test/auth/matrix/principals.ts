import type { Need } from './policy.ts'

/** Somebody who asks, and what they may do in `team/app`. */
export interface Principal {
  readonly name: string
  /** `none` sends no credentials at all, `bad` some that prove nothing. */
  readonly credentials: 'none' | 'good' | 'bad'
  /** In the words of `rules()`. */
  readonly rules: readonly string[]
  /** In the words of a token. */
  readonly scope: string
  /** What that comes to, by a human's judgement. */
  readonly may: readonly Need[]
  /** What the rules alone come to, where that is something else. */
  readonly mayByRules?: readonly Need[]
  /** Whether they may pull from `other/app`. */
  readonly elsewhere: boolean
}

/** A push takes the right to pull as well: clients ask for both. */
const ALL: readonly Need[] = ['login', 'pull', 'push', 'delete']

function known(name: string, rules: readonly string[], scope: string, may: readonly Need[]): Principal {
  return { name, credentials: 'good', rules, scope, may: ['nothing', 'login', ...may], elsewhere: false }
}

function unknown(name: string, credentials: 'none' | 'bad'): Principal {
  // What a bad credential claims is everything.
  const scope = 'repository:team/app:pull,push,delete registry:catalog:*'
  return { name, credentials, rules: [], scope, may: ['nothing'], elsewhere: false }
}

export const PRINCIPALS: readonly Principal[] = [
  unknown('anonymous', 'none'),
  unknown('wrong-password', 'bad'),
  unknown('expired', 'bad'),
  unknown('other-service', 'bad'),
  unknown('wrong-key', 'bad'),
  known('nobody', [], '', []),
  known('puller', ['team/app: pull'], 'repository:team/app:pull', ['pull']),
  // A token says word for word what it is for; a rule that lets somebody push lets them pull.
  {
    ...known('push-only', ['team/app: push'], 'repository:team/app:push', []),
    mayByRules: ['nothing', 'login', 'pull', 'push'],
  },
  known('deleter', ['team/app: delete'], 'repository:team/app:delete', ['delete']),
  known('pusher', ['team/app: pull, push'], 'repository:team/app:pull,push', ['pull', 'push']),
  known('wildcard', ['team/*: *'], 'repository:team/app:*', ALL),
  known('other-repository', ['other/app: pull, push, delete'], 'repository:other/app:pull,push,delete', []),
  known(
    'look-alike',
    ['team: *', 'team2/**: *', 'team/ap: *', 'team/app/**: *', 'team/app2: *'],
    'repository:team:* repository:team2/app:* repository:team/ap:* repository:team/app/x:* repository:team/app2:*',
    [],
  ),
  {
    ...known(
      'admin',
      ['**: *', 'registry:catalog: *'],
      'repository:team/app:pull,push,delete repository:other/app:pull registry:catalog:*',
      [...ALL, 'catalog'],
    ),
    elsewhere: true,
  },
]

export const ADMIN: Principal = PRINCIPALS.at(-1) as Principal // it is in the list
