// How a case is written: `section('rfc3080/2.2.1.2', 'Frame payload', [must('seqno-gap', { … }, async (peer) => { … })])`.
import type { Arbitrary } from 'fast-check'
import type { Peer } from './peer.js'
import type { Level, Role } from './results.js'

/** What a case says of itself, for people. */
export interface About {
  /** One line: what is tried. */
  readonly title: string
  /** Ids of the requirements that it judges. */
  readonly judges: readonly string[]
  /** At most a short phrase of the clause, as the RFC has it. */
  readonly quote: string
  readonly sends: string
  readonly expects: string
  /** Which end the target has to be; either by default. */
  readonly of?: Role
  /** What the target has to offer beside the profile that echoes. */
  readonly needs?: 'tls'
}

/** What a run of a case gives: in words, which lawful choice the target took, where there is one. Otherwise it throws a `Failure` or `Unsupported`. */
export type Saw = string | undefined

/** A case of one section. */
export interface Draft extends About {
  readonly slug: string
  readonly level: Level
  /** Runs it once, or on one sample. */
  run(peer: Peer, sample: unknown): Promise<Saw>
  /** Samples, where the case is a property. */
  readonly samples?: Arbitrary<unknown> | undefined
}

export interface Case extends Draft {
  /** For instance `rfc3080/2.2.1.2/seqno-gap`. */
  readonly id: string
  /** For instance `rfc3080/2.2.1.2`. */
  readonly section: string
  readonly sectionTitle: string
}

type Plain = (slug: string, about: About, run: (peer: Peer) => Promise<Saw>) => Draft
type Property = <T>(
  slug: string,
  about: About & { readonly samples: Arbitrary<T> },
  run: (peer: Peer, sample: T) => Promise<Saw>,
) => Draft

function level(level: Level): Plain & { readonly hold: Property } {
  const plain: Plain = (slug, about, run) => ({ ...about, slug, level, run })
  const hold: Property = (slug, about, run) => ({ ...about, slug, level, run: run as Draft['run'] })
  return Object.assign(plain, { hold })
}

/** A case that every implementation has to pass. `must.hold` is one over many samples. */
export const must = level('MUST')
/** A case that one should pass: a failure is `weak`, and counts with `--strict`. */
export const should = level('SHOULD')
/** A case of a choice that the RFC leaves: every lawful outcome passes, and the one taken is told. */
export const may = level('MAY')

/** Gives the cases of a section their ids. @throws Error when two have the same slug */
export function section(id: string, title: string, drafts: readonly Draft[]): readonly Case[] {
  const slugs = drafts.map(({ slug }) => slug)
  const twice = slugs.find((slug, at) => slugs.indexOf(slug) !== at)
  if (twice !== undefined) throw new Error(`Two cases of ${id} are called ${twice}`)
  return drafts.map((draft) => ({ ...draft, id: `${id}/${draft.slug}`, section: id, sectionTitle: title }))
}
