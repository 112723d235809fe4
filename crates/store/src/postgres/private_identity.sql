-- Version 2: what proves a user by the whole user@domain.
ALTER TABLE subscriber ADD COLUMN private_md5 text;
ALTER TABLE subscriber ADD COLUMN private_sha256 text;
