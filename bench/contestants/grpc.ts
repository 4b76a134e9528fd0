// gRPC by `@grpc/grpc-js`: unary calls, and a stream of answers; octets go in and come out, without protocol buffers.
import { Client, credentials as grpcCredentials, Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js'
import { type Contestant, keepAsking, keepDoing, payload } from '../contestant.js'
import { ANSWERS } from '../workloads.js'

const same = (octets: Buffer) => octets
const method = (name: string, responseStream: boolean) => ({
  path: `/bench/${name}`,
  requestStream: false,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
})
const SERVICE = {
  echo: method('echo', false),
  sink: method('sink', false),
  answers: method('answers', true),
} satisfies ServiceDefinition
const UNLIMITED = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 }
const EMPTY = Buffer.alloc(0)

export const grpc: Contestant = {
  name: 'grpc',
  takesPart: ({ service, secure, channels }) => service !== 'session' && secure !== true && channels === undefined,
  async serve() {
    const server = new Server(UNLIMITED)
    server.addService(SERVICE, {
      echo: (call: { request: Buffer }, done: (error: null, reply: Buffer) => void) => done(null, call.request),
      sink: (_: unknown, done: (error: null, reply: Buffer) => void) => done(null, EMPTY),
      answers: async (call: {
        request: Buffer
        write(answer: Buffer): boolean
        once(event: string, done: () => void): void
        end(): void
      }) => {
        for (let count = 0; count < ANSWERS; count++)
          if (!call.write(call.request)) await new Promise<void>((resolve) => call.once('drain', resolve))
        call.end()
      },
    })
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      )
    })
    return { ports: { clear: port, secure: 0 }, close: async () => server.forceShutdown() }
  },
  async open({ clear }) {
    const client = new Client(`127.0.0.1:${clear}`, grpcCredentials.createInsecure(), UNLIMITED)
    return {
      async run(workload, meter) {
        if (workload.service === 'answers') {
          const message = payload(workload)
          return keepDoing(meter, async () => {
            for await (const answer of client.makeServerStreamRequest('/bench/answers', same, same, message)) {
              if ((answer as Buffer).length !== workload.size) throw new Error('An answer is cut')
              meter.count++
            }
          })
        }
        const path = `/bench/${workload.service}`
        return keepAsking(
          workload,
          meter,
          (message) =>
            new Promise((resolve, reject) => {
              client.makeUnaryRequest(path, same, same, message as Buffer, (error, reply) => {
                if (error === null && reply !== undefined) resolve(reply.length)
                else reject(error)
              })
            }),
        )
      },
      close: async () => client.close(),
    }
  },
}
