-- Reading and writing fields of a few records by name.
-- units: 12

function bench(units)
  local account = { owner = 1, balance = 0, limit = 1000, moves = 0 }
  local bank = { main = account, spare = { owner = 2, balance = 0, limit = 500, moves = 0 } }
  for _ = 1, units do
    for i = 1, 120000 do
      local from, to = bank.main, bank.spare
      from.balance = from.balance + (i & 15)
      if from.balance > from.limit then
        to.balance = (to.balance + from.balance) & 0xffffff
        from.balance = 0
        to.moves = to.moves + 1
      end
      from.moves = from.moves + to.owner
    end
    account.moves = account.moves & 0xffffff
  end
  return account.balance + account.moves + bank.spare.balance + bank.spare.moves
end
