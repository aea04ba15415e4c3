import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useAction } from '../../chain/action';
import { retrievalPrice, setRetrievalPrice } from '../../chain/datanets';
import { useTransact } from '../../chain/transact';
import { open, wei } from '../../lib/format';
import { Amount, Button, Card, ErrorNote, message } from '../../ui/basic';
import { TextField } from '../../ui/form';
import { Fetched } from '../../ui/query';
import { useNetwork, useReader } from '../../wallet/context';

/** What an answer pays that was given records of the datanet to read; its owner sets it. */
export function Reading({ id, owner }: { id: number; owner: boolean }) {
  const network = useNetwork().data;
  const reader = useReader();
  const query = useQuery({
    queryKey: ['retrieval-price', id],
    enabled: network !== undefined && reader !== null,
    queryFn: () => {
      if (network === undefined || reader === null) throw new Error('The network is not known yet: wait a moment and try again.');
      return retrievalPrice(reader, network, id);
    },
  });
  return (
    <Card title="Reading it">
      <Fetched query={query} what="the price of reading it">
        {(price) => (
          <>
            <p>
              {price === 0n ? 'Answers may read its newest version for nothing.' : <>An answer that reads it pays <Amount wei={price} />, to the contributors of what was read and to its owner.</>}
            </p>
            {owner && <Price id={id} now={price} />}
          </>
        )}
      </Fetched>
    </Card>
  );
}

function Price({ id, now }: { id: number; now: bigint }) {
  const network = useNetwork().data;
  const transact = useTransact();
  const { busy, failed, run } = useAction();
  const [text, setText] = useState(open(now).replaceAll(',', ''));
  let price: bigint | undefined;
  let wrong: string | undefined;
  try {
    price = wei(text);
  } catch (error) {
    wrong = message(error);
  }
  return (
    <form
      className="stack tight"
      onSubmit={(e) => {
        e.preventDefault();
        run(async () => {
          if (network === undefined) throw new Error('The network is not known yet: wait a moment and try again.');
          if (price === undefined) throw new Error(wrong);
          await transact(setRetrievalPrice(network, id, price));
        }, 'The price is set');
      }}
    >
      {failed !== null && <ErrorNote error={failed} />}
      <TextField label="Price of an answer that reads it, in OPEN" inputMode="decimal" hint="0 is free. Whoever asks pays it beside the tokens." value={text} wrong={wrong} onChange={(e) => { setText(e.target.value); }} />
      <div>
        <Button type="submit" busy={busy} disabled={price === undefined || price === now}>
          Set the price
        </Button>
      </div>
    </form>
  );
}
