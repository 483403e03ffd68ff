/** In a file of its own, so that the package's types do without it. */
export async function loadJose(): Promise<typeof import('jose')> {
  return import('jose').catch((cause: unknown) => {
    throw new Error('tokens need the package "jose": npm install jose', { cause })
  })
}
