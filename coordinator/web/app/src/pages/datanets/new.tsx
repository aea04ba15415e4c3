import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type SubmitEvent, useState } from 'react';
import { useAction } from '../../chain/action';
import { createDatanet, createdDatanet } from '../../chain/datanets';
import { useTransact } from '../../chain/transact';
import { NeedsAccount } from '../../wallet/account';
import { useNetwork, useReader, useWallet } from '../../wallet/context';
import { Button, Card, ErrorNote, PageHead } from '../../ui/basic';
import { SelectField, TextArea, TextField } from '../../ui/form';
import { FromSample } from './sample';

const route = getRouteApi('/datanets/new');

const licences = [
  { id: 'CC0-1.0', says: 'anybody may do anything with it' },
  { id: 'CC-BY-4.0', says: 'anybody may use it and names you' },
  { id: 'CC-BY-SA-4.0', says: 'as before, and what is made of it has the same licence' },
  { id: 'CC-BY-NC-4.0', says: 'not for commercial use' },
  { id: 'other', says: 'another one, by its SPDX name' },
] as const;

/** Creates a datanet, empty or with sample records that are published at once. */
export default function NewDatanet() {
  const { sample } = route.useSearch();
  return sample === true ? <FromSample /> : <Blank />;
}

function Blank() {
  const { signer } = useWallet();
  const network = useNetwork().data;
  const reader = useReader();
  const transact = useTransact();
  const navigate = useNavigate();
  const { busy, failed, run } = useAction();
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [choice, setChoice] = useState<string>('CC-BY-4.0');
  const [other, setOther] = useState('');
  const [tried, setTried] = useState(false);
  const license = choice === 'other' ? other.trim() : choice;
  const size = (s: string) => new TextEncoder().encode(s).length;
  const wrongName = name.trim() === '' ? 'Give it a name.' : size(name) > 64 ? 'It is too long: up to 64 bytes.' : undefined;
  const wrongText = size(description) > 4096 ? 'It is too long: up to 4,096 bytes.' : undefined;
  const wrongLicense = license === '' || !/^[A-Za-z0-9.+() -]+$/.test(license) || size(license) > 256 ? 'Write an SPDX name such as CC-BY-4.0 or MIT.' : undefined;
  const submit = (e: SubmitEvent) => {
    e.preventDefault();
    setTried(true);
    if (wrongName !== undefined || wrongText !== undefined || wrongLicense !== undefined || network === undefined || reader === null) return;
    run(async () => {
      const hash = await transact(createDatanet(network, name.trim(), license, description.trim()));
      const id = await createdDatanet(reader, hash);
      await navigate({ to: '/datanets/$id', params: { id: String(id) }, search: { tab: 'contribute' } });
    }, 'The datanet is created.');
  };
  return (
    <>
      <PageHead title="Create a datanet" sub="You will be its owner: you review what others contribute, and publish versions." />
      {signer === null && <NeedsAccount why="A datanet is registered on the chain in the name of an account." />}
      <Card>
        <form className="stack" onSubmit={submit} noValidate>
          <TextField
            label="Name"
            hint="What others find it by."
            value={name}
            onChange={(e) => {
              setName(e.target.value);
            }}
            wrong={tried ? wrongName : undefined}
          />
          <TextArea
            label="Description"
            hint="What its records are about, and what you want contributed."
            rows={3}
            value={description}
            onChange={(e) => {
              setDescription(e.target.value);
            }}
            wrong={wrongText}
          />
          <SelectField
            label="Licence"
            hint="Every contributor agrees to it for each record. It cannot be changed later."
            value={choice}
            onChange={(e) => {
              setChoice(e.target.value);
            }}
          >
            {licences.map((l) => (
              <option key={l.id} value={l.id}>
                {l.id === 'other' ? `Other: ${l.says}` : `${l.id}: ${l.says}`}
              </option>
            ))}
          </SelectField>
          {choice === 'other' && (
            <TextField
              label="SPDX name of the licence"
              value={other}
              onChange={(e) => {
                setOther(e.target.value);
              }}
              wrong={tried ? wrongLicense : undefined}
            />
          )}
          {failed !== null && <ErrorNote error={failed} />}
          <div className="row">
            <Button type="submit" kind="primary" busy={busy} disabled={signer === null || network === undefined}>
              Create datanet
            </Button>
            <span className="dim small">One transaction; it costs gas only.</span>
          </div>
        </form>
      </Card>
    </>
  );
}
