// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Registry of DIDs (ERC-1056)
/// @notice Every address is an identity that owns itself until it names
/// another owner. What the owner says about it is told by events, each of which
/// names the block of the one before it, so that a reader can walk them all
/// from changed(identity).
///
/// The *Signed methods take the owner's signature over
/// keccak256(0x19 0x00 registry nonce[owner] identity method arguments), so
/// that somebody else can pay. Signatures must be of the low-s form.
contract EthereumDIDRegistry {
    mapping(address => address) public owners;
    mapping(address => mapping(bytes32 => mapping(address => uint256))) public delegates;
    mapping(address => uint256) public changed;
    mapping(address => uint256) public nonce;

    // Half of the order of secp256k1: of the two forms of a signature only
    // the one with the smaller s is taken.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    event DIDOwnerChanged(address indexed identity, address owner, uint256 previousChange);
    event DIDDelegateChanged(
        address indexed identity, bytes32 delegateType, address delegate, uint256 validTo, uint256 previousChange
    );
    event DIDAttributeChanged(
        address indexed identity, bytes32 name, bytes value, uint256 validTo, uint256 previousChange
    );

    /// The actor does not own the identity.
    error NotOwner(address identity, address actor);
    /// The signature is malformed or not by the owner.
    error BadSignature(address identity);
    /// The delegate was never given, or has been revoked.
    error NotDelegate(address identity, bytes32 delegateType, address delegate);

    function identityOwner(address identity) public view returns (address) {
        address owner = owners[identity];
        return owner != address(0) ? owner : identity;
    }

    function validDelegate(address identity, bytes32 delegateType, address delegate) external view returns (bool) {
        return delegates[identity][keccak256(abi.encode(delegateType))][delegate] > block.timestamp;
    }

    // ---- owner

    function changeOwner(address identity, address newOwner) external {
        _changeOwner(identity, msg.sender, newOwner);
    }

    function changeOwnerSigned(address identity, uint8 sigV, bytes32 sigR, bytes32 sigS, address newOwner) external {
        bytes memory args = abi.encodePacked("changeOwner", newOwner);
        _changeOwner(identity, _signer(identity, sigV, sigR, sigS, args), newOwner);
    }

    function _changeOwner(address identity, address actor, address newOwner) private {
        _requireOwner(identity, actor);
        owners[identity] = newOwner;
        emit DIDOwnerChanged(identity, newOwner, _change(identity));
    }

    // ---- delegates

    function addDelegate(address identity, bytes32 delegateType, address delegate, uint256 validity) external {
        _addDelegate(identity, msg.sender, delegateType, delegate, validity);
    }

    function addDelegateSigned(
        address identity,
        uint8 sigV,
        bytes32 sigR,
        bytes32 sigS,
        bytes32 delegateType,
        address delegate,
        uint256 validity
    ) external {
        bytes memory args = abi.encodePacked("addDelegate", delegateType, delegate, validity);
        _addDelegate(identity, _signer(identity, sigV, sigR, sigS, args), delegateType, delegate, validity);
    }

    function _addDelegate(address identity, address actor, bytes32 delegateType, address delegate, uint256 validity)
        private
    {
        _requireOwner(identity, actor);
        uint256 validTo = _until(validity);
        delegates[identity][keccak256(abi.encode(delegateType))][delegate] = validTo;
        emit DIDDelegateChanged(identity, delegateType, delegate, validTo, _change(identity));
    }

    function revokeDelegate(address identity, bytes32 delegateType, address delegate) external {
        _revokeDelegate(identity, msg.sender, delegateType, delegate);
    }

    function revokeDelegateSigned(
        address identity,
        uint8 sigV,
        bytes32 sigR,
        bytes32 sigS,
        bytes32 delegateType,
        address delegate
    ) external {
        bytes memory args = abi.encodePacked("revokeDelegate", delegateType, delegate);
        _revokeDelegate(identity, _signer(identity, sigV, sigR, sigS, args), delegateType, delegate);
    }

    function _revokeDelegate(address identity, address actor, bytes32 delegateType, address delegate) private {
        _requireOwner(identity, actor);
        bytes32 key = keccak256(abi.encode(delegateType));
        if (delegates[identity][key][delegate] <= block.timestamp) {
            revert NotDelegate(identity, delegateType, delegate);
        }
        delegates[identity][key][delegate] = block.timestamp;
        emit DIDDelegateChanged(identity, delegateType, delegate, block.timestamp, _change(identity));
    }

    // ---- attributes

    function setAttribute(address identity, bytes32 name, bytes calldata value, uint256 validity) external {
        _setAttribute(identity, msg.sender, name, value, validity);
    }

    function setAttributeSigned(
        address identity,
        uint8 sigV,
        bytes32 sigR,
        bytes32 sigS,
        bytes32 name,
        bytes calldata value,
        uint256 validity
    ) external {
        bytes memory args = abi.encodePacked("setAttribute", name, value, validity);
        _setAttribute(identity, _signer(identity, sigV, sigR, sigS, args), name, value, validity);
    }

    function _setAttribute(address identity, address actor, bytes32 name, bytes calldata value, uint256 validity)
        private
    {
        _requireOwner(identity, actor);
        emit DIDAttributeChanged(identity, name, value, _until(validity), _change(identity));
    }

    function revokeAttribute(address identity, bytes32 name, bytes calldata value) external {
        _revokeAttribute(identity, msg.sender, name, value);
    }

    function revokeAttributeSigned(
        address identity,
        uint8 sigV,
        bytes32 sigR,
        bytes32 sigS,
        bytes32 name,
        bytes calldata value
    ) external {
        bytes memory args = abi.encodePacked("revokeAttribute", name, value);
        _revokeAttribute(identity, _signer(identity, sigV, sigR, sigS, args), name, value);
    }

    function _revokeAttribute(address identity, address actor, bytes32 name, bytes calldata value) private {
        _requireOwner(identity, actor);
        emit DIDAttributeChanged(identity, name, value, 0, _change(identity));
    }

    // ---- inner

    function _requireOwner(address identity, address actor) private view {
        if (actor != identityOwner(identity)) revert NotOwner(identity, actor);
    }

    /// Notes the change in this block and returns the block of the one before.
    function _change(address identity) private returns (uint256 previous) {
        previous = changed[identity];
        changed[identity] = block.number;
    }

    /// A validity too long to add means for ever.
    function _until(uint256 validity) private view returns (uint256) {
        return validity > type(uint256).max - block.timestamp ? type(uint256).max : block.timestamp + validity;
    }

    function _signer(address identity, uint8 v, bytes32 r, bytes32 s, bytes memory args) private returns (address owner) {
        owner = identityOwner(identity);
        bytes32 digest = keccak256(
            abi.encodePacked(bytes1(0x19), bytes1(0), address(this), nonce[owner], identity, args)
        );
        // A failed recovery gives the zero address, which may own nothing here.
        address signer = ecrecover(digest, v, r, s);
        if (signer == address(0) || signer != owner || uint256(s) > HALF_ORDER) revert BadSignature(identity);
        nonce[owner]++;
    }
}
