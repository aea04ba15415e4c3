// What pages call of DatanetRegistry.
import { type Address, encodeFunctionData, parseAbi, parseEventLogs, type PublicClient } from 'viem';
import type { Schemas } from '../api/client';
import type { Network } from '../wallet/context';
import { contract } from './contract';
import type { Call } from './transact';

const datanetsAbi = parseAbi([
  'function create(string name, string license, string metadata) returns (uint64)',
  'function publish(uint64 datanet, uint32 version, string root, string license, uint64 recordCount)',
  'function latestVersion(uint64 datanet) view returns (uint32)',
  'function setRetrievalPrice(uint64 datanet, uint256 price)',
  'function retrievalPriceOf(uint64 datanet) view returns (uint256)',
  'event DatanetCreated(uint64 indexed datanet, address indexed owner, address pool, string name, string license, string metadata)',
]);

/** Creates a datanet of the caller's. */
export function createDatanet(network: Network, name: string, license: string, description: string): Call {
  return { to: datanetsOf(network), data: encodeFunctionData({ abi: datanetsAbi, functionName: 'create', args: [name, license, description] }) };
}

/** Publishes a version that the coordinator has built. */
export function publishVersion(network: Network, v: Schemas['Version']): Call {
  return {
    to: datanetsOf(network),
    data: encodeFunctionData({ abi: datanetsAbi, functionName: 'publish', args: [BigInt(v.datanet), v.version, v.root, v.license, BigInt(v.records)] }),
  };
}

/** The newest published version's number; 0 where there is none. */
export async function latestVersion(reader: PublicClient, network: Network, datanet: number): Promise<number> {
  return reader.readContract({ address: datanetsOf(network), abi: datanetsAbi, functionName: 'latestVersion', args: [BigInt(datanet)] });
}

/** What an answer that reads a datanet pays, in wei. */
export async function retrievalPrice(reader: PublicClient, network: Network, datanet: number): Promise<bigint> {
  return reader.readContract({ address: datanetsOf(network), abi: datanetsAbi, functionName: 'retrievalPriceOf', args: [BigInt(datanet)] });
}

/** Sets what an answer that reads the caller's datanet pays. */
export function setRetrievalPrice(network: Network, datanet: number, wei: bigint): Call {
  return { to: datanetsOf(network), data: encodeFunctionData({ abi: datanetsAbi, functionName: 'setRetrievalPrice', args: [BigInt(datanet), wei] }) };
}

/** The number of the datanet that a transaction created. */
export async function createdDatanet(reader: PublicClient, hash: `0x${string}`): Promise<number> {
  const { logs } = await reader.getTransactionReceipt({ hash });
  const [created] = parseEventLogs({ abi: datanetsAbi, logs, eventName: 'DatanetCreated' });
  if (created === undefined) throw new Error(`Transaction ${hash} created no datanet.`);
  return Number(created.args.datanet);
}

function datanetsOf(network: Network): Address {
  return contract(network, 'datanets');
}
