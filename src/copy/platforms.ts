import { kindOf } from '../arguments.ts'
import type { Descriptor, Platform } from '../spec/descriptor.ts'
import { isPlatform, parsePlatform } from '../spec/platform.ts'

/** BuildKit's attestations are children of an index as well; these say of which image. */
const REFERENCE_TYPE = 'vnd.docker.reference.type'
const REFERENCE_DIGEST = 'vnd.docker.reference.digest'

/** @throws `TypeError` for what is neither `os/architecture[/variant]` nor a platform */
export function readPlatforms(platforms: readonly (string | Platform)[]): readonly Platform[] {
  if (!Array.isArray(platforms)) throw new TypeError(`expected a list of platforms, not ${kindOf(platforms)}`)
  if (platforms.length === 0) throw new TypeError('an empty list of platforms copies nothing: leave it out for all')
  return platforms.map((platform: string | Platform) => {
    if (typeof platform === 'string') return parsePlatform(platform)
    if (typeof platform?.os === 'string' && typeof platform.architecture === 'string') return platform
    throw new TypeError(`expected a platform such as 'linux/amd64', not ${kindOf(platform)}`)
  })
}

/** The children of an index that are copied: of the wanted platforms, of none, and what attests to the former, if asked. */
export function chooseChildren(
  children: readonly Descriptor[],
  wanted: readonly Platform[],
  options: { readonly attestations: boolean },
): readonly Descriptor[] {
  const isWanted = ({ platform }: Descriptor) => !platform || wanted.some((one) => isPlatform(platform, one))
  const chosen = new Set(children.filter(isWanted).map(({ digest }) => digest as string))
  const isAttested = ({ annotations }: Descriptor) =>
    annotations?.[REFERENCE_TYPE] === 'attestation-manifest' && chosen.has(annotations[REFERENCE_DIGEST] ?? '')
  return children.filter((child) => isWanted(child) || (options.attestations && isAttested(child)))
}
