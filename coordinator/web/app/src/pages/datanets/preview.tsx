import type { Schemas } from '../../api/client';
import { bytes, duration } from '../../lib/format';

/** What is shown of a record: its text as text, its file as the coordinator serves it, which runs nothing. */
export function Preview({ cid, preview, media, large = false }: { cid: string; preview?: string | undefined; media?: Schemas['Media'] | undefined; large?: boolean }) {
  const source = `/api/v1/records/${encodeURIComponent(cid)}/content`;
  const kind = media?.media_type.split('/')[0];
  return (
    <div className="stack tight">
      {media !== undefined && kind === 'image' && <img className={large ? 'media' : 'media thumb'} src={source} alt={preview ?? 'Picture of this record'} loading="lazy" />}
      {media !== undefined && kind === 'audio' && <audio controls preload="none" src={source} aria-label="Sound of this record" />}
      {media !== undefined && kind === 'video' && <video className={large ? 'media' : 'media thumb'} controls preload="none" src={source} aria-label="Video of this record" />}
      {media !== undefined && (
        <span className="dim small">
          {media.media_type}, {bytes(media.size)}
          {media.width !== undefined && media.height !== undefined && `, ${media.width} × ${media.height}`}
          {media.duration_ms !== undefined && `, ${duration(media.duration_ms)}`}
        </span>
      )}
      {preview !== undefined && preview !== '' && <span className="small">{preview}</span>}
    </div>
  );
}
