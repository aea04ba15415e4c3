// Sending transactions: tried first, so that what a contract would refuse costs nothing
// and is said in words; done when the transaction is in a block.
import { useQueryClient } from '@tanstack/react-query';
import { useCallback } from 'react';
import { type Address, BaseError, type Hash, type Hex, type PublicClient } from 'viem';
import { useReader, useWallet } from '../wallet/context';
import type { Signer } from '../wallet/wallet';

/** A call of a contract: what encodeFunctionData gives, and the wei that go with it. */
export interface Call {
  to: string;
  data: Hex;
  value?: bigint;
}

/** What went wrong with a transaction, in a sentence. */
export function refused(error: unknown): Error {
  if (!(error instanceof BaseError)) return error instanceof Error ? error : new Error(String(error));
  const text = `${error.shortMessage} ${error.details}`;
  if (/user rejected|denied/i.test(text)) return new Error('You declined it in your wallet. Nothing was sent.');
  if (/insufficient funds|exceeds the balance|exceeds balance/i.test(text)) return new Error('The account does not have enough OPEN for this and its gas.');
  if (/revert/i.test(text)) return new Error(`The contract refuses this: ${error.details === '' ? error.shortMessage : error.details}`);
  return new Error(error.shortMessage);
}

/** Sends a call and waits until it is in a block. */
export async function transact(reader: PublicClient, signer: Signer, call: Call): Promise<Hash> {
  try {
    const request = { to: call.to as Address, data: call.data, value: call.value ?? 0n };
    // In the block to come: the newest one's time may be long past, where blocks come with
    // transactions only.
    const next = { account: signer.account, ...request, blockTag: 'pending' } as const;
    await reader.call(next);
    const gas = await reader.estimateGas(next);
    const hash = await signer.sendTransaction({ ...request, gas: (gas * 6n) / 5n });
    const { status } = await reader.waitForTransactionReceipt({ hash, timeout: 120_000 });
    if (status === 'reverted') throw new Error(`The contract refused transaction ${hash}. Try again: what it depends on may have changed meanwhile.`);
    return hash;
  } catch (error) {
    throw refused(error);
  }
}

/** Sends a call as the connected account; pages read anew what it may have changed. */
export function useTransact(): (call: Call) => Promise<Hash> {
  const reader = useReader();
  const { signer } = useWallet();
  const queries = useQueryClient();
  return useCallback(
    async (call: Call) => {
      if (signer === null) throw new Error('Connect an account first.');
      if (reader === null) throw new Error('The network is not known yet: wait a moment and try again.');
      const hash = await transact(reader, signer, call);
      await queries.invalidateQueries();
      return hash;
    },
    [reader, signer, queries],
  );
}
