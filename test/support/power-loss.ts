import { seededRandom } from '../../src/testing/seeded.ts'
import type { Fate, SimulatedDisk } from './simulated-disk.ts'

/** A disk after a power loss, and what had been promised before it. */
export interface PowerLoss {
  /** For messages: where the cut was, and what survived. */
  readonly label: string
  readonly disk: SimulatedDisk
  readonly marks: readonly unknown[]
}

/**
 * Every power loss that could have hit `disk` while it was written: at each cut point, with nothing of what was not synced, with all
 * of it, and with `samples` random parts of it.
 */
export function* powerLosses(disk: SimulatedDisk, samples = 20): Generator<PowerLoss> {
  for (const cut of disk.cuts()) {
    const marks = disk.marks(cut)
    yield { label: `cut ${cut}, only what was synced`, disk: disk.cutAt(cut, () => 'lost'), marks }
    yield { label: `cut ${cut}, everything`, disk: disk.cutAt(cut, () => 'kept'), marks }
    for (let seed = 1; seed <= samples; seed++) {
      yield { label: `cut ${cut}, seed ${seed}`, disk: disk.cutAt(cut, randomFate(cut * 1000 + seed)), marks }
    }
  }
}

function randomFate(seed: number): () => Fate {
  const random = seededRandom(seed)
  const kept = random()
  return () => {
    if (random() < kept) return 'kept'
    const other = random()
    return other < 0.7 ? 'lost' : other < 0.85 ? 'torn' : 'zeros'
  }
}
