/** `push` includes `pull`, without which nothing can be pushed; nothing includes `delete` but `*`, which is everything. */
export type RuleAction = 'pull' | 'push' | 'delete' | '*'

/** Whoever is any of these. At least one. */
export interface RuleWho {
  /** Subjects of identities, as they are. */
  readonly users?: readonly string[]
  readonly groups?: readonly string[]
  /** Everybody, logged in or not. Alone, as it makes the others pointless. */
  readonly anonymous?: true
}

/** What may be done in the repositories that match. */
export interface RepositoryRule {
  /**
   * `*` stands for any characters but `/`, `**` for any characters at all. A component `{user}` is the subject of who asks, `{group}` any
   * of their groups, before any `**`.
   */
  readonly repository: string
  /** Default: whoever is logged in. */
  readonly who?: RuleWho
  readonly actions: readonly RuleAction[]
}

/** The list of repositories may be asked for. It tells of those that can be pulled. */
export interface CatalogRule {
  readonly catalog: true
  /** Default: whoever is logged in. */
  readonly who?: RuleWho
}

/** Grants something; there are no denials. */
export type Rule = RepositoryRule | CatalogRule

export const RULE_ACTIONS: readonly RuleAction[] = ['pull', 'push', 'delete', '*']
