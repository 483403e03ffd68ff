// Loaded into a server with --import: tells its event loop's delay since it was last asked, by SIGUSR2.
import { monitorEventLoopDelay } from 'node:perf_hooks'

const delays = monitorEventLoopDelay({ resolution: 1 })
delays.enable()
process.on('SIGUSR2', () => {
  const ms = (nanoseconds) => (nanoseconds / 1e6).toFixed(1)
  console.log(`loop delay p99 ${ms(delays.percentile(99))} max ${ms(delays.max)} samples ${delays.count}`)
  delays.reset()
})
