import type { FunctionHost } from './function-host.ts';

/**
 * Hosts of one function as one: an invocation goes to a host that has none, and waits where all
 * have.
 *
 * @param hosts at least one
 */
export function poolOf(hosts: readonly [FunctionHost, ...FunctionHost[]]): FunctionHost {
  const idle = [...hosts];
  const waiting: ((host: FunctionHost) => void)[] = [];
  const take = () => {
    const host = idle.shift();
    return host ?? new Promise<FunctionHost>((resolve) => waiting.push(resolve));
  };
  const giveBack = (host: FunctionHost) => {
    const next = waiting.shift();
    if (next === undefined) idle.unshift(host);
    else next(host);
  };
  return {
    name: hosts[0].name,
    async invoke(event) {
      const host = await take();
      try {
        return await host.invoke(event);
      } finally {
        giveBack(host);
      }
    },
    isRunning: () => hosts.some((host) => host.isRunning()),
    kill() {
      for (const host of hosts) host.kill();
    },
    freeze() {
      const frozen = hosts.map((host) => host.freeze());
      return () => {
        for (const goOn of frozen) goOn();
      };
    },
    async stop() {
      await Promise.all(hosts.map((host) => host.stop()));
    },
  };
}
