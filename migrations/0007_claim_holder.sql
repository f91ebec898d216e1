-- Who holds a claim: it keeps others from asking, and not the one who made it, who may have been cut short before and
-- would wait for itself.
alter table helix_claim add column holder text;
