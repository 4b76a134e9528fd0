// All cases of BEEP, in the order of the RFCs.
import type { Case } from './harness/case.js'
import { clientStyles } from './rfc3080/2.1.1-styles.js'
import { header } from './rfc3080/2.2.1.1-header.js'
import { replies } from './rfc3080/2.2.1.1-replies.js'
import { requests } from './rfc3080/2.2.1.1-requests.js'
import { sender } from './rfc3080/2.2.1.1-sender.js'
import { payload } from './rfc3080/2.2.1.2-sequence.js'
import { trailer } from './rfc3080/2.2.1.3-trailer.js'
import { lawful } from './rfc3080/2.2.1-lawful-frames.js'
import { unlawful } from './rfc3080/2.2.1-unlawful-headers.js'
import { poorlyFormed } from './rfc3080/2.2.2.1-poorly-formed.js'
import { messages } from './rfc3080/2.2-messages.js'
import { greeting } from './rfc3080/2.3.1.1-greeting.js'
import { starts } from './rfc3080/2.3.1.2-start.js'
import { closes } from './rfc3080/2.3.1.3-close.js'
import { ok } from './rfc3080/2.3.1.4-ok.js'
import { errors } from './rfc3080/2.3.1.5-error.js'
import { channels } from './rfc3080/2.3-channels.js'
import { releasing } from './rfc3080/2.4-release.js'
import { pipelining } from './rfc3080/2.6.1-pipelining.js'
import { parallel } from './rfc3080/2.6.2-parallel.js'
import { preemptive } from './rfc3080/2.6.3-preemptive.js'
import { peers } from './rfc3080/2.7-peers.js'
import { roles, sessions, styles } from './rfc3080/2-exchanges.js'
import { tlsStart } from './rfc3080/3.1.1-tls-start.js'
import { proceed, ready } from './rfc3080/3.1.3-ready-and-proceed.js'
import { tlsClient } from './rfc3080/3.1-tls-initiator.js'
import { transportSecurity } from './rfc3080/3-transport-security.js'
import { features } from './rfc3080/5.2-features.js'
import { management } from './rfc3080/6.1-management.js'
import { beepXml } from './rfc3080/6.4-beep-xml.js'
import { dtd } from './rfc3080/7.1-dtd.js'
import { codes } from './rfc3080/8-codes.js'
import { exchangeOnTcp, onTcp } from './rfc3081/2-session.js'
import { creation, flowControl } from './rfc3081/3.1.1-creation.js'
import { sending } from './rfc3081/3.1.2-sending.js'
import { seq } from './rfc3081/3.1.3-seq.js'
import { seqSyntax } from './rfc3081/3.1.3-seq-syntax.js'
import { useOfWindows } from './rfc3081/3.1.4-use.js'
import { floods } from './robustness/floods.js'
import { garbage } from './robustness/garbage.js'
import { mutations } from './robustness/mutations.js'
import { pieces } from './robustness/pieces.js'
import { quietPeers } from './robustness/quiet-peers.js'

export const CASES: readonly Case[] = [
  ...sessions,
  ...roles,
  ...styles,
  ...clientStyles,
  ...messages,
  ...lawful,
  ...unlawful,
  ...header,
  ...requests,
  ...replies,
  ...sender,
  ...payload,
  ...trailer,
  ...poorlyFormed,
  ...channels,
  ...greeting,
  ...starts,
  ...closes,
  ...ok,
  ...errors,
  ...releasing,
  ...pipelining,
  ...parallel,
  ...preemptive,
  ...peers,
  ...transportSecurity,
  ...tlsClient,
  ...tlsStart,
  ...ready,
  ...proceed,
  ...features,
  ...management,
  ...beepXml,
  ...dtd,
  ...codes,
  ...onTcp,
  ...exchangeOnTcp,
  ...flowControl,
  ...creation,
  ...sending,
  ...seqSyntax,
  ...seq,
  ...useOfWindows,
  ...pieces,
  ...garbage,
  ...mutations,
  ...floods,
  ...quietPeers,
]
