// The parts of the contracts that pages call. contracts/ has the whole.
import { parseAbi } from 'viem';

export const escrowAbi = parseAbi([
  'function open(address session, uint256 limit, uint64 expiry, address[] workers, uint256[] amounts) payable',
  'function authorize(address session, uint256 limit, uint64 expiry)',
  'function revoke(address session)',
  'function deposit() payable',
  'function requestWithdrawal(uint256 amount)',
  'function cancelWithdrawal()',
  'function executeWithdrawal() returns (uint256)',
  'function balanceOf(address requester) view returns (uint256)',
  'function availableOf(address requester) view returns (uint256)',
  'function reservedOf(address requester) view returns (uint256)',
  'function sessionOf(address requester, address session) view returns ((uint88 limit, uint88 spent, uint64 expiry, bool current))',
  'function withdrawalOf(address requester) view returns ((uint256 amount, uint64 releaseAt))',
  'function withdrawalDelay() view returns (uint64)',
]);
