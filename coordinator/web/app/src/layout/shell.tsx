import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { Bot, Boxes, Coins, Cpu, Database, Factory, Home, Menu, MessagesSquare, ReceiptText, UserRound, Vote } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { AccountMenu } from '../wallet/account';
import { ThemeButton } from './theme';

const pages = [
  { to: '/', label: 'Home', icon: Home },
  { to: '/playground', label: 'Playground', icon: MessagesSquare },
  { to: '/datanets', label: 'Datanets', icon: Database },
  { to: '/factory', label: 'ModelFactory', icon: Factory },
  { to: '/models', label: 'Models', icon: Boxes },
  { to: '/agents', label: 'Agents', icon: Bot },
  { to: '/receipts', label: 'Receipts', icon: ReceiptText },
  { to: '/rewards', label: 'Rewards', icon: Coins },
  { to: '/account', label: 'Account', icon: UserRound },
  { to: '/workers', label: 'Workers', icon: Cpu },
  { to: '/governance', label: 'Governance', icon: Vote },
] as const;

/** The frame around every page. After each navigation the menu closes and the page's heading gets the focus. */
export function Shell() {
  const [menu, setMenu] = useState(false);
  const path = useRouterState({ select: (s) => s.location.pathname });
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    main.current?.focus();
  }, [path]);
  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <div className="topbar">
        <Link to="/" className="brand">
          <img src="/icon.svg" alt="" />
          OpenLedger
        </Link>
        <button
          type="button"
          className="button icon"
          aria-expanded={menu}
          aria-controls="menu"
          aria-label="Menu"
          onClick={() => {
            setMenu(!menu);
          }}
        >
          <Menu size={20} aria-hidden="true" />
        </button>
      </div>
      <div className="frame">
        <div className="side" id="menu" data-open={menu}>
          <Link to="/" className="brand">
            <img src="/icon.svg" alt="" />
            OpenLedger
          </Link>
          <nav aria-label="Pages">
            <ul className="nav">
              {pages.map(({ to, label, icon: Icon }) => (
                <li key={to}>
                  <Link
                    to={to}
                    activeOptions={{ exact: to === '/' }}
                    activeProps={{ 'aria-current': 'page' }}
                    onClick={() => {
                      setMenu(false);
                    }}
                  >
                    <Icon size={18} aria-hidden="true" />
                    {label}
                  </Link>
                </li>
              ))}
            </ul>
          </nav>
          <div className="foot">
            <AccountMenu />
            <div className="row spread">
              <a href="/api/openapi.json">API</a>
              <ThemeButton />
            </div>
          </div>
        </div>
        <main className="main" id="main" tabIndex={-1} ref={main}>
          <Outlet />
        </main>
      </div>
    </>
  );
}
