import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Challenge, formatChallenges, parseChallenges } from '../../../src/remote/auth/challenge.ts'

type Parsed = readonly [scheme: string, parameters: Readonly<Record<string, string>>]

function parsed(header: Parameters<typeof parseChallenges>[0]): readonly Parsed[] {
  return parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])
}

describe('parseChallenges', () => {
  // What registries answered to a request without credentials, as quoted in reports about them.
  it.each<[registry: string, header: string, expected: readonly Parsed[]]>([
    [
      'Docker Hub',
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/golang:pull"',
      [
        [
          'bearer',
          {
            realm: 'https://auth.docker.io/token',
            service: 'registry.docker.io',
            scope: 'repository:library/golang:pull',
          },
        ],
      ],
    ],
    [
      'GitHub',
      'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:user/image:pull"',
      [['bearer', { realm: 'https://ghcr.io/token', service: 'ghcr.io', scope: 'repository:user/image:pull' }]],
    ],
    [
      'GitLab',
      'Bearer realm="https://gitlab.com/jwt/auth",service="container_registry",scope="registry:catalog:*"',
      [
        [
          'bearer',
          { realm: 'https://gitlab.com/jwt/auth', service: 'container_registry', scope: 'registry:catalog:*' },
        ],
      ],
    ],
    [
      'ECR',
      'Basic realm="https://111111111111.dkr.ecr.us-east-1.amazonaws.com/",service="ecr.amazonaws.com"',
      [['basic', { realm: 'https://111111111111.dkr.ecr.us-east-1.amazonaws.com/', service: 'ecr.amazonaws.com' }]],
    ],
    [
      'Azure',
      'Bearer realm="https://contoso.azurecr.io/oauth2/token",service="contoso.azurecr.io"',
      [['bearer', { realm: 'https://contoso.azurecr.io/oauth2/token', service: 'contoso.azurecr.io' }]],
    ],
    [
      'Azure, after a wrong password',
      'Basic realm="Azure Container Registry"',
      [['basic', { realm: 'Azure Container Registry' }]],
    ],
    [
      'Quay, which names no scope',
      'Bearer realm="https://quay.io/v2/auth",service="quay.io"',
      [['bearer', { realm: 'https://quay.io/v2/auth', service: 'quay.io' }]],
    ],
    [
      'Harbor',
      'Bearer realm="http://192.168.1.11:8090/service/token",service="harbor-registry"',
      [['bearer', { realm: 'http://192.168.1.11:8090/service/token', service: 'harbor-registry' }]],
    ],
    ['Harbor, for its catalog', 'Basic realm="harbor"', [['basic', { realm: 'harbor' }]]],
    [
      'Gitea',
      'Bearer realm="https://git.example/v2/token",service="container_registry",scope="*"',
      [['bearer', { realm: 'https://git.example/v2/token', service: 'container_registry', scope: '*' }]],
    ],
    [
      'Google',
      'Bearer realm="https://gcr.io/v2/token",service="gcr.io",scope="repository:project/image:push,pull"',
      [
        [
          'bearer',
          { realm: 'https://gcr.io/v2/token', service: 'gcr.io', scope: 'repository:project/image:push,pull' },
        ],
      ],
    ],
    [
      'Distribution, of a token that allows too little',
      'Bearer realm="https://auth.example/token",service="r",scope="repository:a/b:pull,push registry:catalog:*",error="insufficient_scope"',
      [
        [
          'bearer',
          {
            realm: 'https://auth.example/token',
            service: 'r',
            scope: 'repository:a/b:pull,push registry:catalog:*',
            error: 'insufficient_scope',
          },
        ],
      ],
    ],
  ])('reads what %s sends', (_registry, header, expected) => {
    expect(parsed(header)).toEqual(expected)
  })

  it.each<[what: string, header: string | readonly string[] | undefined, expected: readonly Parsed[]]>([
    ['no header', undefined, []],
    ['an empty header', '', []],
    ['commas alone', ' , ,', []],
    ['a scheme alone', 'Negotiate', [['negotiate', {}]]],
    [
      'two challenges in one header',
      'Basic realm="a, b", Bearer realm="https://x/t",service=s',
      [
        ['basic', { realm: 'a, b' }],
        ['bearer', { realm: 'https://x/t', service: 's' }],
      ],
    ],
    [
      'two headers',
      ['Bearer realm="https://x/t"', 'BASIC Realm=x'],
      [
        ['bearer', { realm: 'https://x/t' }],
        ['basic', { realm: 'x' }],
      ],
    ],
    [
      'base64 in place of parameters',
      'Negotiate YIIB+/a==, Basic realm="x"',
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    ],
    ['escapes', 'Basic realm="a \\"b\\" \\\\c\\d"', [['basic', { realm: 'a "b" \\cd' }]]],
    ['spaces and tabs round everything', '\tBasic   realm =\t"x" ,\ta= b , ', [['basic', { realm: 'x', a: 'b' }]]],
    [
      'parameters with spaces alone between them',
      'Bearer realm="x" service="y"',
      [['bearer', { realm: 'x', service: 'y' }]],
    ],
    [
      'a url without quotes',
      'Bearer realm=https://x.example/t?a=b,service=s',
      [['bearer', { realm: 'https://x.example/t?a=b', service: 's' }]],
    ],
    ['the first of a name that comes twice', 'Bearer realm="a",Realm="b"', [['bearer', { realm: 'a' }]]],
    ['a parameter before any scheme', 'realm="x"', [['realm', {}]]],
    ['quotes that nobody closes', 'Basic a=b, realm="x', [['basic', { a: 'b' }]]],
    ['quotes that end in an escape', 'Basic a=b, realm="x\\', [['basic', { a: 'b' }]]],
    ['something stuck to a value', 'Bearer realm="a"b, Basic realm="c"', [['bearer', { realm: 'a' }]]],
    ['what is no token', 'Basic a=b, {"error": 1}', [['basic', { a: 'b' }]]],
    ['a name of an object’s own', 'Bearer __proto__="x"', [['bearer', { ['__proto__']: 'x' }]]],
    [
      'a header that is too long, beside another',
      [`Basic realm="${'x'.repeat(8_192)}"`, 'Basic a=b'],
      [['basic', { a: 'b' }]],
    ],
  ])('reads %s', (_what, header, expected) => {
    expect(parsed(header)).toEqual(expected)
  })

  it('reads back what it would write', () => {
    const token = fc.stringMatching(/^[!#$%&'*+.^_`|~a-z0-9-]{1,12}$/)
    const value = fc.string({
      unit: fc.oneof(fc.constantFrom(',', '"', '\\', ' ', '=', '\t'), fc.string({ minLength: 1, maxLength: 1 })),
    })
    const challenge = fc.record({
      scheme: token,
      parameters: fc
        .uniqueArray(fc.tuple(token, value), { selector: ([name]) => name, maxLength: 5 })
        .map((all) => new Map(all)),
    })
    fc.assert(
      fc.property(fc.array<Challenge>(challenge, { maxLength: 5 }), (challenges) => {
        expect(parseChallenges(formatChallenges(challenges))).toEqual(challenges)
      }),
    )
  })

  it('never fails, and takes time in proportion to the length', () => {
    const piece = fc.constantFrom('Bearer', 'Basic', ' ', ',', '=', '"', '\\', 'realm', '==', '\t', 'é', '\0', 'a b')
    fc.assert(
      fc.property(
        fc.array(fc.oneof(piece, fc.string()), { maxLength: 60 }).map((all) => all.join('')),
        (text) => {
          for (const { scheme, parameters } of parseChallenges(text)) {
            expect(scheme).toMatch(/^[!#$%&'*+.^_`|~a-z0-9-]+$/)
            for (const name of parameters.keys()) expect(name).toBe(name.toLowerCase())
          }
        },
      ),
    )
    const hostile = [
      'a '.repeat(4_096),
      '='.repeat(8_192),
      '"'.repeat(8_192),
      'a=\\"'.repeat(2_048),
      'a =,'.repeat(2_048),
    ]
    const start = performance.now()
    for (const text of hostile) parseChallenges(`Bearer ${text}`.slice(0, 8_192))
    expect(performance.now() - start).toBeLessThan(500)
  })
})
